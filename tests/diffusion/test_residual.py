"""Our network: a Wiener filter before it is fitted, blind to noise where the plate is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import initialise
from infusion_engine.diffusion.patches import PATCH_SIZES, PatchBasis, patch_basis, to_patches
from infusion_engine.diffusion.residual import (
    DEEPEST,
    Convolution,
    ResidualDenoiser,
    blend,
    normalised,
    silu,
)
from infusion_engine.diffusion.schedule import alpha_bar

SHAPE = (3, 3, 64, 64)


@pytest.fixture(scope="module")
def clip() -> Tensor:
    """A smooth clip with some detail, (3, T, H, W)."""
    torch.manual_seed(5)
    coarse = torch.randn(1, 3, 3, 16, 16)
    return torch.nn.functional.interpolate(coarse, scale_factor=(1, 4, 4))[0] + 0.1 * torch.randn(
        SHAPE
    )


@pytest.fixture(scope="module", params=PATCH_SIZES, ids=lambda size: f"{size}px")
def patches(clip: Tensor, request: pytest.FixtureRequest) -> PatchBasis:
    """The clip's own basis, of patches of each size."""
    return patch_basis(clip, torch.zeros(1, *SHAPE[1:]), size=request.param)


def unfitted(patches: PatchBasis) -> ResidualDenoiser:
    """As every fit begins."""
    model = ResidualDenoiser(channels=8)
    model.patches = patches
    initialise(model, 0)
    return model.eval()


def fitted(patches: PatchBasis) -> ResidualDenoiser:
    """Its last layer says something, as after some steps."""
    model = unfitted(patches)
    torch.manual_seed(1)
    with torch.no_grad():
        model.network.last.weight.normal_(0.0, 0.05)
    return model


def cut_hole() -> Tensor:
    """(1, 1, T, H, W): a hole with odd edges, so that it cuts patches."""
    hole = torch.zeros(1, 1, *SHAPE[1:])
    hole[..., 11:29, 21:39] = 1.0
    return hole


def touched(hole: Tensor, size: int) -> Tensor:
    """(1, 3, T, H, W), True in every pixel of a patch that the hole touches."""
    whole = to_patches(hole, size).amax(1)  # (1, T, H/P, W/P)
    pixels = whole.repeat_interleave(size, -2).repeat_interleave(size, -1)
    return pixels[:, None].expand(1, *SHAPE) > 0


@pytest.mark.parametrize("t", [1, 50, 300, 700, 999])
def test_an_unfitted_network_is_the_wiener_filter(
    clip: Tensor, patches: PatchBasis, t: int
) -> None:
    """E[x_0 | x_t] for a Gaussian: component by component, and of one spread in all the rest."""
    a = alpha_bar(t)
    torch.manual_seed(t)
    x_t = math.sqrt(a) * clip + math.sqrt(1 - a) * torch.randn(SHAPE)
    hole = torch.ones(1, 1, *SHAPE[1:])
    with torch.no_grad():
        # Fitting does not clip components to the known range; sampling does.
        model = unfitted(patches).train()
        found = model(x_t[None], torch.zeros(1, *SHAPE), hole, torch.tensor([t]))
    rows = patches.basis.flatten(1).double()  # (12, 3PP)
    # The same filter as a matrix on whole patches, made from a complete basis.
    spread, rest = patches.spread.double(), float(patches.rest)
    kept = rows.T @ torch.diag(spread**2) @ rows
    left_out = torch.eye(rows.shape[1], dtype=torch.float64) - rows.T @ rows
    covariance = kept + rest**2 * left_out
    noisy = a * covariance + (1 - a) * torch.eye(len(covariance), dtype=torch.float64)
    gain = math.sqrt(a) * torch.linalg.solve(noisy, covariance)  # the two commute
    mean = patches.mean.double().flatten()[:, None, None, None]
    observed = to_patches(x_t[None].double(), patches.size)[0] - math.sqrt(a) * mean
    expected = torch.einsum("dc,cthw->dthw", gain, observed) + mean
    assert torch.allclose(
        to_patches(found.double(), patches.size)[0], expected, atol=2e-4 / math.sqrt(a)
    )


def test_an_unfitted_network_denoises(clip: Tensor, patches: PatchBasis) -> None:
    """It is nearer the truth than x_t itself and than the mean patch alone."""
    a = alpha_bar(200)
    torch.manual_seed(2)
    x_t = math.sqrt(a) * clip + math.sqrt(1 - a) * torch.randn(SHAPE)
    hole = torch.ones(1, 1, *SHAPE[1:])
    with torch.no_grad():
        found = unfitted(patches)(x_t[None], torch.zeros(1, *SHAPE), hole, torch.tensor([200]))[0]
    error = (found - clip).pow(2).mean()
    assert error < 0.8 * (x_t / math.sqrt(a) - clip).pow(2).mean()
    assert error < 0.8 * clip.var()


def test_noise_at_known_voxels_has_no_say(clip: Tensor, patches: PatchBasis) -> None:
    """x_t in wholly known patches influences no voxel of the patches that are to be filled."""
    hole = cut_hole()
    filled = touched(hole, patches.size)
    x_t = torch.randn(1, *SHAPE)
    other = torch.where(filled, x_t, 1e3 * torch.randn(1, *SHAPE))
    conditioning = clip[None] * (1 - hole)
    model, t = fitted(patches), torch.tensor([400])
    with torch.no_grad():
        first, second = (model(x, conditioning, hole, t) for x in (x_t, other))
    assert torch.equal(first[filled], second[filled])
    # ... while in a patch that the hole cuts, and inside the hole, it does have a say.
    with torch.no_grad():
        third = model(x_t + 1.0, conditioning, hole, t)
    assert not torch.allclose(first[filled], third[filled], atol=1e-2)


def test_the_plate_is_seen_at_zero_noise(clip: Tensor, patches: PatchBasis) -> None:
    """The known surroundings do influence the fill, through the conditioning."""
    hole = cut_hole()
    inside = hole.expand(1, *SHAPE) > 0
    x_t = torch.randn(1, *SHAPE)
    model, t = fitted(patches), torch.tensor([400])
    with torch.no_grad():
        first = model(x_t, clip[None] * (1 - hole), hole, t)
        second = model(x_t, (clip[None] + 0.5) * (1 - hole), hole, t)
    assert not torch.allclose(first[inside], second[inside], atol=1e-3)


def test_conditioning_under_the_hole_has_no_say(clip: Tensor, patches: PatchBasis) -> None:
    """Even a conditioning that is not zero there changes nothing."""
    hole = cut_hole()
    x_t = torch.randn(1, *SHAPE)
    model, t = fitted(patches), torch.tensor([400])
    with torch.no_grad():
        first = model(x_t, clip[None] * (1 - hole), hole, t)
        second = model(x_t, torch.where(hole > 0, torch.tensor(1e6), clip[None]), hole, t)
    assert torch.equal(first, second)


def test_each_clip_of_a_batch_has_its_own_noise_level(clip: Tensor, patches: PatchBasis) -> None:
    """A batch at two timesteps gives what each gives alone."""
    hole = cut_hole().expand(2, -1, -1, -1, -1)
    x_t = torch.randn(1, *SHAPE).expand(2, -1, -1, -1, -1)
    known = clip[None] * (1 - hole)
    model = fitted(patches)
    with torch.no_grad():
        both = model(x_t, known, hole, torch.tensor([3, 900]))
        alone = [model(x_t[:1], known[:1], hole[:1], torch.tensor([t])) for t in (3, 900)]
    # sqrt(alpha-bar) divides at 900: float32 has its seven digits of a hundred.
    assert torch.allclose(both, torch.cat(alone), rtol=1e-4, atol=1e-3)
    assert not torch.allclose(both[0], both[1], atol=1e-2)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 47), (5, 64), (1, 1)])
def test_any_height_and_width_will_do(
    clip: Tensor, patches: PatchBasis, height: int, width: int
) -> None:
    """What is no multiple of the deepest level is as if its last row and column went on."""
    generator = torch.Generator().manual_seed(3)
    x_t = torch.randn(1, 3, 3, height, width, generator=generator)
    hole = cut_hole()[..., :height, :width]
    known = clip[None, ..., :height, :width] * (1 - hole)
    model, t = fitted(patches), torch.tensor([400])
    multiple = patches.size * DEEPEST
    rows = torch.arange(-(-height // multiple) * multiple).clamp(max=height - 1)
    columns = torch.arange(-(-width // multiple) * multiple).clamp(max=width - 1)
    with torch.no_grad():
        found = model(x_t, known, hole, t)
        larger = model(*(x[..., rows[:, None], columns] for x in (x_t, known, hole)), t)
    assert found.shape == x_t.shape
    assert bool(torch.isfinite(found).all())
    assert torch.equal(found, larger[..., :height, :width])


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_will_do(clip: Tensor, patches: PatchBasis, frames: int) -> None:
    """One frame and two are clips like any other."""
    hole = cut_hole()[:, :, :frames]
    known = clip[None, :, :frames] * (1 - hole)
    with torch.no_grad():
        found = fitted(patches)(torch.randn_like(known), known, hole, torch.tensor([400]))
    assert found.shape == known.shape
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize("t", [1, 300, 999])
def test_scalings_are_edm_s(patches: PatchBasis, t: int) -> None:
    """c_skip = s^2 / (s^2 + sigma^2), c_out = s sigma / sqrt(s^2 + sigma^2), per component."""
    c_skip, c_out = unfitted(patches).scalings(torch.tensor([t]))
    sigma = math.sqrt((1 - alpha_bar(t)) / alpha_bar(t))
    spread = patches.spread.double()
    assert c_skip.flatten().tolist() == pytest.approx(
        (spread**2 / (spread**2 + sigma**2)).tolist(), rel=1e-4
    )
    assert c_out.flatten().tolist() == pytest.approx(
        (spread * sigma / (spread**2 + sigma**2).sqrt()).tolist(), rel=1e-4
    )


def test_magnitudes_are_kept() -> None:
    """Convolutions, SiLU and weighted sums give unit deviation for unit deviation."""
    torch.manual_seed(0)
    x = torch.randn(1, 16, 6, 20, 20)
    convolution = Convolution(16, 32, (3, 3, 3))
    with torch.no_grad():
        convolution.weight.normal_(0.0, 17.0)
        y = convolution(x)[..., 1:-1, 1:-1, 1:-1]
    assert float(y.std()) == pytest.approx(1.0, abs=0.15)
    assert float(silu(torch.randn(100_000)).pow(2).mean()) == pytest.approx(1.0, abs=0.02)
    mixed = blend(torch.randn(100_000), torch.randn(100_000), 0.4)
    assert float(mixed.std()) == pytest.approx(1.0, abs=0.01)


def test_normalised_weights_have_unit_mean_square() -> None:
    """Per output channel, whatever their size was; their direction is kept."""
    torch.manual_seed(0)
    weight = (
        torch.randn(5, 7, 3, 3, 3)
        * torch.tensor([1e-3, 0.1, 1.0, 10.0, 1e3])[:, None, None, None, None]
    )
    found = normalised(weight)
    assert torch.allclose(found.pow(2).mean((1, 2, 3, 4)), torch.ones(5), rtol=1e-3)
    assert torch.allclose(normalised(found), found, rtol=1e-4)
    cosine = torch.cosine_similarity(found.flatten(1), weight.flatten(1))
    assert torch.allclose(cosine, torch.ones(5), atol=1e-5)


def test_sampling_keeps_every_component_within_the_known_range(
    clip: Tensor, patches: PatchBasis
) -> None:
    """However far x_t strays, predicted patches have no component that the shot does not know."""
    hole = torch.ones(1, 1, *SHAPE[1:])
    model = unfitted(patches).eval()
    with torch.no_grad():
        found = model(50.0 * clip[None], torch.zeros(1, *SHAPE), hole, torch.tensor([5]))
    z = patches.components(found - patches.tiled_mean(found)).flatten(2)  # (1, 12, N)
    assert bool((z.amax(2) <= patches.highest + 1e-3).all())
    assert bool((z.amin(2) >= patches.lowest - 1e-3).all())
    assert bool((z.amax(2) >= patches.highest - 1e-3).any())
