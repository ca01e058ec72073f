"""Patches and their basis: nothing is lost, components are uncorrelated, spreads are right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.patches import (
    COMPONENTS,
    PATCH_SIZES,
    PatchBasis,
    choose_basis,
    padded,
    patch_basis,
    plain_basis,
    smoothed,
    to_patches,
)

SIDE = 64
SHAPE = (3, 8, SIDE, SIDE)
SIZES = pytest.mark.parametrize("size", PATCH_SIZES)


def texture(seed: int = 0, *, detail: float = 0.02) -> Tensor:
    """A clip with colour that varies slowly and detail that does not, (3, T, H, W)."""
    torch.manual_seed(seed)
    coarse = torch.randn(1, 3, 8, SIDE // 16, SIDE // 16)
    smooth = torch.nn.functional.interpolate(coarse, scale_factor=(1, 16, 16), mode="trilinear")[0]
    mixing = torch.tensor([[1.0, 0.2, 0.0], [0.8, 0.4, 0.1], [0.5, 0.1, 0.3]])
    clip = torch.einsum("dc,cthw->dthw", mixing, smooth)
    return 0.3 * clip + detail * torch.randn(SHAPE) + 0.1


def nothing_hidden(clip: Tensor) -> Tensor:
    """(1, T, H, W) of zeros."""
    return torch.zeros(1, *clip.shape[1:])


@SIZES
def test_a_patch_holds_its_own_pixels(size: int) -> None:
    """Channel (c P + i) P + j of a patch is colour c at row i, column j."""
    x = torch.arange(2 * 3 * 2 * 16 * 24).reshape(2, 3, 2, 16, 24)
    patches = to_patches(x, size)
    assert patches.shape == (2, 3 * size**2, 2, 16 // size, 24 // size)
    for c in range(3):
        for i in range(size):
            for j in range(size):
                channel = (c * size + i) * size + j
                assert torch.equal(patches[:, channel], x[:, c, :, i::size, j::size])


@SIZES
def test_the_basis_is_orthonormal(size: int) -> None:
    """White noise stays white in it."""
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=size)
    assert found.size == size
    assert found.basis.shape == (COMPONENTS, 3, size, size)
    rows = found.basis.flatten(1).double()
    assert torch.allclose(rows @ rows.T, torch.eye(COMPONENTS, dtype=torch.float64), atol=1e-5)


@SIZES
def test_components_are_the_basis_times_the_patch(size: int) -> None:
    """Written out as a product of matrices, patch by patch."""
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=size)
    x = torch.randn(2, *SHAPE)
    rows = found.basis.flatten(1).double()
    expected = torch.einsum("kc,bcthw->bkthw", rows, to_patches(x.double(), size))
    assert torch.allclose(found.components(x).double(), expected, atol=1e-4)


@SIZES
def test_components_and_back_is_the_projection(size: int) -> None:
    """Components survive the way to pixels and back, and what is lost is orthogonal to them.

    Nothing is lost of 2 x 2 patches, which have no more components than are kept.
    """
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=size)
    x = torch.randn(2, *SHAPE)
    z = found.components(x)
    kept = found.pixels(z)
    assert kept.shape == x.shape
    assert torch.allclose(found.components(kept), z, atol=1e-4)
    lost = (x - kept).double()
    assert abs(float((lost * kept.double()).sum())) < 1e-4 * float(x.double().pow(2).sum())
    if 3 * size**2 == COMPONENTS:
        assert torch.allclose(kept, x, atol=1e-5)
    else:
        share = COMPONENTS / (3 * size**2)
        assert float(kept.pow(2).mean()) == pytest.approx(share, rel=0.1)  # of white noise


def test_the_plain_basis_changes_nothing() -> None:
    """2 x 2 patches as they are: components are the pixels themselves."""
    plain = plain_basis()
    x = torch.randn(1, *SHAPE)
    assert torch.equal(plain.components(x), to_patches(x, plain.size))
    assert torch.equal(plain.pixels(plain.components(x)), x)
    assert not plain.tiled_mean(x).any()


@SIZES
def test_components_are_uncorrelated_with_the_spread_told(size: int) -> None:
    """In the basis the covariance of the shot's own patches is diagonal, largest first."""
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=size)
    z = found.components(clip[None] - found.tiled_mean(clip[None]))[0].flatten(1).double()
    assert float(z.mean(1).abs().max()) < 1e-4
    covariance = torch.cov(z)
    assert torch.allclose(covariance, torch.diag(found.spread.double() ** 2), atol=1e-4)
    assert torch.equal(found.spread, found.spread.sort(descending=True).values)


@SIZES
def test_the_rest_is_the_largest_spread_that_is_left_out(size: int) -> None:
    """The 13th eigenvalue of the patches' covariance; nothing is left out of 2 x 2 patches."""
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=size)
    if size == 2:
        assert float(found.rest) == 0.0
        return
    values = torch.linalg.eigvalsh(torch.cov(to_patches(clip[None], size)[0].flatten(1).double()))
    assert float(found.rest) == pytest.approx(float(values[-COMPONENTS - 1]) ** 0.5, rel=1e-4)
    assert found.rest <= found.spread[-1]


@SIZES
def test_the_mean_patch_is_tiled_over_the_clip(size: int) -> None:
    """Pixel (i, j) of the clip has entry (i mod P, j mod P) of the mean patch."""
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=size)
    patches = to_patches(clip[None], size)[0].flatten(1)
    assert torch.allclose(found.mean.flatten(), patches.mean(1), atol=1e-5)
    tiled = found.tiled_mean(torch.zeros(2, 1, 5, 3 * size, 2 * size))
    assert tiled.shape == (1, 3, 1, 3 * size, 2 * size)
    for i, j in ((0, 0), (1, size), (2 * size + 1, size - 1)):
        assert torch.equal(tiled[0, :, 0, i, j], found.mean[:, i % size, j % size])


@SIZES
def test_signs_do_not_depend_on_the_machine(size: int) -> None:
    """The largest entry of every component is positive."""
    clip = texture()
    rows = patch_basis(clip, nothing_hidden(clip), size=size).basis.flatten(1)
    assert bool((rows.gather(1, rows.abs().argmax(1, keepdim=True)) > 0).all())


def test_fine_is_the_spread_around_the_neighbourhood() -> None:
    """Deviation from the mean of 3 x 3 x 3 neighbours; less than the spread of smooth colour."""
    clip = texture()
    found = patch_basis(clip, nothing_hidden(clip), size=2)
    z = found.components(clip[None] - found.tiled_mean(clip[None]))
    detail = (z - smoothed(z))[0, :, 1:-1, 1:-1, 1:-1]
    assert torch.allclose(detail.pow(2).mean((1, 2, 3)).sqrt(), found.fine, rtol=0.1)
    assert bool((found.fine[:3] < found.spread[:3]).all())


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_smoothing_is_the_mean_of_neighbours_that_exist(frames: int) -> None:
    """A constant stays what it is up to the border, and one voxel spreads over its neighbours."""
    constant = torch.full((1, 2, frames, 4, 5), 0.7)
    assert torch.allclose(smoothed(constant), constant)
    x = torch.randn(1, 1, frames, 5, 6)
    found = smoothed(x)
    for t in range(frames):
        for i, j in ((0, 0), (2, 3), (4, 5), (1, 0)):
            near = x[0, 0, max(0, t - 1) : t + 2, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            assert float(found[0, 0, t, i, j]) == pytest.approx(float(near.mean()), abs=1e-5)


def test_padding_repeats_the_last_row_and_column() -> None:
    """Up to the next multiple; what fits already is the very same tensor."""
    x = torch.randn(2, 3, 2, 13, 8)
    found = padded(x, 8)
    assert found.shape == (2, 3, 2, 16, 8)
    assert torch.equal(found[..., :13, :], x)
    assert all(torch.equal(found[..., row, :], x[..., 12, :]) for row in (13, 14, 15))
    assert torch.equal(padded(x.transpose(-1, -2), 8), found.transpose(-1, -2))
    assert padded(found, 8) is found


@pytest.mark.parametrize("size", [2, 4])
def test_only_wholly_known_patches_are_looked_at(size: int) -> None:
    """What stands in a patch that the hole touches changes nothing."""
    hole = torch.zeros(1, *SHAPE[1:])
    hole[:, :, 9:15, 7:16] = 1.0  # odd edges: patches are cut
    touched = torch.zeros(SIDE, SIDE)
    touched[9 // size * size : -(-15 // size) * size, 7 // size * size : -(-16 // size) * size] = 1
    clip = texture()
    poisoned = torch.where(touched > 0, torch.full_like(clip, 1e3), clip)
    first, second = (patch_basis(x, hole, size=size) for x in (clip, poisoned))
    for name, value in vars(first).items():
        assert torch.equal(value, getattr(second, name)), name
    assert not torch.equal(first.mean, patch_basis(texture(1), hole, size=size).mean)


def test_a_noisy_interval_looks_at_large_patches_and_a_clean_one_at_small() -> None:
    """The largest whose left-out components have at most half of the least noise's deviation."""
    clip = texture()
    hole = nothing_hidden(clip)
    rests = {size: float(patch_basis(clip, hole, size=size).rest) for size in (8, 4)}
    assert rests[8] > rests[4]

    def chosen(least_sigma: float) -> int:
        return choose_basis(clip, hole, least_sigma=least_sigma).size

    assert chosen(100.0) == chosen(2.01 * rests[8]) == 8
    assert chosen(1.99 * rests[8]) == chosen(2.01 * rests[4]) == 4
    assert chosen(1.99 * rests[4]) == chosen(0.0) == 2


def test_the_chosen_basis_is_that_of_its_size() -> None:
    """Nothing but the size is chosen."""
    clip = texture()
    chosen = choose_basis(clip, nothing_hidden(clip), least_sigma=10.0)
    expected = patch_basis(clip, nothing_hidden(clip), size=8)
    assert all(torch.equal(v, getattr(expected, name)) for name, v in vars(chosen).items())


def test_a_clip_smaller_than_two_patches_has_smaller_ones() -> None:
    """Whatever the noise."""
    for side, size in ((16, 8), (15, 4), (8, 4), (7, 2), (2, 2)):
        clip = texture()[:, :, :side]
        assert choose_basis(clip, nothing_hidden(clip), least_sigma=100.0).size == size


@pytest.mark.parametrize(("width", "size"), [(40, 8), (10, 8), (5, 4), (3, 2), (1, 2)])
def test_a_thin_matte_has_small_patches(width: int, size: int) -> None:
    """However noisy the interval: what is learnt is whole patches, and some have to fit into it."""
    hole = torch.zeros(1, *SHAPE[1:])
    hole[..., 13 : 13 + width] = 1.0  # a wire from top to bottom
    clip = texture() * (1 - hole)
    assert choose_basis(clip, hole, least_sigma=100.0).size == size
    across = hole.transpose(-1, -2).contiguous()
    assert choose_basis(clip, across, least_sigma=100.0).size == size


@SIZES
def test_any_height_and_width_has_a_basis(size: int) -> None:
    """Those that are no multiple of the patch, too."""
    clip = texture()[..., :37, :51]
    check(patch_basis(clip, nothing_hidden(clip), size=size))


@SIZES
def test_a_flat_plate_has_a_basis_too(size: int) -> None:
    """No spread is zero, so that nothing is divided by it; next to nothing known is no crash."""
    flat = torch.full((3, 3, 32, 32), 0.5)
    check(patch_basis(flat, nothing_hidden(flat), size=size))
    hole = torch.ones(1, 3, 32, 32)
    hole[:, :, :2, :2] = 0.0
    check(patch_basis(texture()[:, :3, :32, :32] * (1 - hole), hole, size=size))


@SIZES
@pytest.mark.parametrize("frames", [1, 2])
def test_a_shot_may_be_shorter_than_the_neighbourhood(frames: int, size: int) -> None:
    """One frame and two are clips like any other."""
    clip = texture()[:, :frames]
    check(patch_basis(clip, nothing_hidden(clip), size=size))


def check(found: PatchBasis) -> None:
    """Every number is finite, and no spread is zero."""
    assert all(bool(torch.isfinite(value).all()) for value in vars(found).values())
    assert bool((found.spread > 0).all())
    assert bool((found.fine > 0).all())
