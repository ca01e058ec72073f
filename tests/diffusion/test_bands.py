"""Bands: together they are what was there, and each is told from noise by its own measure."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.bands import BLURS, COUNT, Shares, bands

SHAPE = (1, 3, 12, 48, 64)
ALIKE = torch.full((COUNT,), 1.0 / COUNT)


def disc(shape: tuple[int, ...] = SHAPE, radius: float = 16.0) -> Tensor:
    """(1, 1, T, H, W): a round hole in the middle."""
    rows, columns = (torch.arange(n) - (n - 1) / 2 for n in shape[-2:])
    inside = (rows[:, None] ** 2 + columns[None] ** 2).sqrt() <= radius
    return inside.float().expand(1, 1, shape[2], -1, -1).contiguous()


def noise(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Tensor:
    """Standard normal."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def waves(seed: int = 1) -> Tensor:
    """(1, 3, T, H, W) of unit size: large and slow shapes with some grain on them."""
    coarse = torch.nn.functional.interpolate(noise((1, 3, 3, 6, 8), seed), SHAPE[2:])
    field = coarse + 0.05 * noise(seed=seed + 1)
    return field / field.square().mean().sqrt()


def parts(field: Tensor, hole: Tensor) -> Tensor:
    """(COUNT,): each band's share of a field's power."""
    powers = torch.stack([band.square().sum() for band in bands(field, hole)])
    return powers / powers.sum()


@pytest.mark.parametrize("radius", [0.6, 5.0, 16.0, 200.0])
def test_together_they_are_the_field_in_the_hole(radius: float) -> None:
    """Whether it is a pixel or the whole frame; and nothing where the plate is known."""
    field, hole = noise(), disc(radius=radius)
    found = list(bands(field, hole))
    assert len(found) == COUNT
    assert torch.allclose(sum(found, torch.zeros(SHAPE)), field * hole, atol=1e-5)
    assert not any(bool((band * (1.0 - hole)).any()) for band in found)


def test_what_is_known_comes_into_none() -> None:
    """The same bits, whatever stands beside the hole."""
    field, hole = noise(), disc()
    beside = torch.where(hole > 0.0, field, 1e6)
    for one, other in zip(bands(field, hole), bands(beside, hole), strict=True):
        assert torch.equal(one, other)


def test_what_is_flat_is_large_and_what_is_noise_is_fine() -> None:
    """A colour belongs to the coarsest band, right up to the edge, and noise to the finest."""
    hole = disc()
    *finer, coarsest = bands(torch.full(SHAPE, 0.7), hole)
    assert torch.allclose(coarsest, 0.7 * hole, atol=1e-5)
    assert all(float(band.abs().max()) < 1e-5 for band in finer)
    shares = parts(noise(), hole)
    assert float(shares[0]) > 0.9
    assert shares.tolist() == sorted(shares.tolist(), reverse=True)


def test_a_wide_clip_s_bands_are_those_of_its_pieces() -> None:
    """What lies further away than a Gaussian is cut off has no say: pieces can be taken alone."""
    shape = (1, 1, 3, 8, 300)
    field, hole = noise(shape), torch.ones(shape)
    hole[..., 130:150] = 0.0
    far = math.ceil(3 * max(pixels for pixels, _ in BLURS)) * len(BLURS)
    for whole, part in zip(
        bands(field, hole), bands(field[..., 60:260], hole[..., 60:260]), strict=True
    ):
        inner = slice(60 + far, 260 - far)
        assert torch.allclose(whole[..., inner], part[..., far : 200 - far], atol=1e-5)


@pytest.mark.parametrize("sigma", [0.01, 0.3, 12.0])
@pytest.mark.parametrize("spread", [0.02, 0.2, 0.5])
def test_where_shares_are_alike_the_filter_is_edm_s(sigma: float, spread: float) -> None:
    """c_skip = s^2 / (s^2 + sigma^2), c_out = s sigma / sqrt(s^2 + sigma^2), s the spread."""
    shares, hole, noisy = Shares(ALIKE, ALIKE), disc(), noise()
    s, level = torch.full(SHAPE, spread), torch.full((1, 1, 1, 1, 1), sigma)
    c_skip = spread**2 / (spread**2 + sigma**2)
    found = shares.estimated(noisy, hole, s, level)
    assert torch.allclose(found, c_skip * noisy * hole, rtol=1e-4, atol=1e-6)
    c_out = spread * sigma / math.hypot(spread, sigma)
    assert torch.allclose(shares.remaining(s, level), torch.tensor(c_out), rtol=1e-4)


@pytest.mark.parametrize(("sigma", "of_plain"), [(0.1, 1.0), (0.5, 0.8), (2.0, 0.65), (8.0, 0.8)])
def test_each_band_is_told_from_noise_by_its_own_measure(sigma: float, of_plain: float) -> None:
    """Large shapes are found in noise in which one gain for all finds next to nothing."""
    hole, level, one = disc(), torch.full((1, 1, 1, 1, 1), sigma), torch.ones(SHAPE)
    shares = Shares(parts(waves(), hole), parts(noise(seed=5), hole))
    field, everywhere = waves(seed=7), hole.expand(SHAPE) > 0.0
    noisy = field + sigma * noise(seed=9)

    def error(estimate: Tensor) -> float:
        """Root mean square in the hole."""
        return float((estimate - field)[everywhere].square().mean().sqrt())

    found = error(shares.estimated(noisy, hole, one, level))
    plain = error(Shares(ALIKE, ALIKE).estimated(noisy, hole, one, level))
    assert found < of_plain * plain
    # c_out says how much is left: bands overlap, so it is not to the digit.
    assert float(shares.remaining(one, level).mean()) == pytest.approx(found, rel=0.1)


def test_where_there_is_no_noise_it_is_what_is_there() -> None:
    """Nothing is smoothed away at the end."""
    hole, field = disc(), waves()
    shares = Shares(parts(field, hole), parts(noise(), hole))
    found = shares.estimated(field, hole, torch.ones(SHAPE), torch.full((1, 1, 1, 1, 1), 1e-4))
    assert torch.allclose(found, field * hole, atol=1e-3)
