"""The gauge: a level in numbers, from its known voxels alone."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.residual import Gauge
from infusion_engine.settings import PRESETS
from infusion_engine.training.gauge import measured
from infusion_engine.training.window import lay_ground

SHAPE = (4, 48, 48)
DRAFT = replace(PRESETS["draft"], window_frames=3, crop_pixels=32)
LEVELS = pytest.mark.parametrize("level", [0, 1], ids=["coarsest", "finer"])
TINY = 1e-3  # what a flat plate is given, so that nothing is divided by nothing


def matte(side: int = 14) -> Tensor:
    """(1, T, H, W): a square block in the middle."""
    hole = torch.zeros(1, *SHAPE)
    low = 24 - side // 2
    hole[:, :, low : low + side, low : low + side] = 1.0
    return hole


def clip() -> Tensor:
    """(3, T, H, W): smooth shapes and some grain, of another size in each channel."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 3, 4, 6, 6, generator=generator)
    smooth = F.interpolate(coarse, size=SHAPE, mode="trilinear", align_corners=False)[0]
    grain = torch.randn(3, *SHAPE, generator=generator)
    sizes = torch.tensor([0.1, 0.2, 0.3])[:, None, None, None]
    return 0.25 + sizes * (smooth + 0.3 * grain)


def gauge_of(
    x_0: Tensor, hole: Tensor | None = None, *, level: int = 0, fit_seed: int = 0
) -> Gauge:
    """The gauge of a clip under a matte."""
    hole = matte() if hole is None else hole
    ground = lay_ground(PyramidLevel(x_0=x_0, hole=hole), level, DRAFT)
    return measured(ground, settings=DRAFT, fit_seed=fit_seed)


def same(a: Gauge, b: Gauge) -> bool:
    """True when all parts have the same bits."""
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Gauge))


@LEVELS
def test_mean_and_deviation_are_those_of_the_known_voxels(level: int) -> None:
    """The mean of each channel, and the mean of the channels' deviations."""
    known = clip().numpy().astype("float64")[:, matte()[0].numpy() == 0.0]  # (3, N)
    gauge = gauge_of(clip(), level=level)
    assert gauge.mean.tolist() == pytest.approx(known.mean(1).tolist(), rel=1e-5)
    assert float(gauge.deviation) == pytest.approx(known.std(1).mean(), rel=1e-5)
    assert gauge.mean.dtype == gauge.deviation.dtype == gauge.spread.dtype == torch.float32
    assert gauge.deviation.shape == gauge.spread.shape == ()


@LEVELS
@pytest.mark.parametrize("extreme", [1e6, -1e6])
def test_what_stands_under_the_matte_has_no_say(level: int, extreme: float) -> None:
    """Any value there, the same bits."""
    poisoned = torch.where(matte() == 1.0, extreme, clip())
    assert same(gauge_of(poisoned, level=level), gauge_of(clip(), level=level))


@LEVELS
def test_a_gauge_goes_with_the_values(level: int) -> None:
    """Contrast scales all of it; brightness moves the mean and nothing else."""
    gauge = gauge_of(clip(), level=level)
    strong, bright = gauge_of(clip() * 4.0, level=level), gauge_of(clip() + 2.0, level=level)
    for part in ("mean", "deviation", "spread"):
        assert torch.allclose(getattr(strong, part), getattr(gauge, part) * 4.0, rtol=1e-4)
    assert torch.allclose(bright.mean, gauge.mean + 2.0)
    assert torch.allclose(bright.deviation, gauge.deviation, rtol=1e-4)
    assert torch.allclose(bright.spread, gauge.spread, rtol=1e-4)


@LEVELS
def test_the_fit_seed_and_the_clip_decide_everything(level: int) -> None:
    """Torch's own generator has no part in it."""
    torch.manual_seed(1)
    first = gauge_of(clip(), level=level)
    torch.manual_seed(2)
    assert same(first, gauge_of(clip(), level=level))


def test_the_coarsest_spread_is_that_about_the_smooth_guess() -> None:
    """Of grain the guess knows only the mean; of a slow ramp it knows nearly all."""
    generator = torch.Generator().manual_seed(0)
    grain = 0.2 * torch.randn(3, *SHAPE, generator=generator)
    assert 0.2 < float(gauge_of(grain).spread) < 0.24
    ramp = torch.linspace(-0.5, 0.5, 48)[None, None, None].expand(3, *SHAPE)
    assert float(gauge_of(ramp).spread) < 0.1 * float(gauge_of(ramp).deviation)


def test_more_is_left_to_find_in_a_larger_hole() -> None:
    """The occluders are the matte's own shape, so the spread is that of this hole."""
    spreads = [float(gauge_of(clip(), matte(side)).spread) for side in (2, 6, 24)]
    assert spreads == sorted(spreads)
    assert spreads[-1] > 1.2 * spreads[0]


def test_less_is_left_to_find_where_other_frames_saw_it() -> None:
    """Of a plate that stands still, what a moving matte uncovers is remembered."""
    frame = clip()[:, :1].expand(3, 12, *SHAPE[1:])
    spreads = []
    for speed in (0, 3):
        hole = torch.zeros(1, 12, *SHAPE[1:])
        for t in range(12):
            hole[:, t, 20:28, 6 + speed * t : 14 + speed * t] = 1.0
        spreads.append(float(gauge_of(frame, hole).spread))
    assert spreads[1] < 0.8 * spreads[0]


def test_a_finer_level_s_spread_is_that_of_what_halving_takes_away() -> None:
    """All of a chequer of single pixels, nothing of flat blocks within, whatever the hole."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    chequer = (0.3 * (1.0 - 2.0 * ((x + y) % 2)))[None, None].expand(3, *SHAPE)
    nothing = torch.zeros(1, *SHAPE)
    assert float(gauge_of(chequer, nothing, level=1).spread) == pytest.approx(0.3, rel=1e-5)
    assert float(gauge_of(chequer, level=1).spread) == pytest.approx(0.3, rel=1e-2)
    halves = torch.where(x < 24, -0.5, 0.5)[None, None].expand(3, *SHAPE)
    # Only the two columns at the edge, of 48, differ: by 1/4 of the step.
    expected = 0.25 * (2 / 48) ** 0.5
    assert float(gauge_of(halves, nothing, level=1).spread) == pytest.approx(expected, rel=1e-5)


@LEVELS
def test_a_flat_plate_has_a_gauge(level: int) -> None:
    """The mean is its colour; nothing is so small that it could not be divided by."""
    colour = torch.tensor([0.1, -0.2, 0.7])
    gauge = gauge_of(colour[:, None, None, None].expand(3, *SHAPE), level=level)
    assert torch.allclose(gauge.mean, colour)
    assert float(gauge.deviation) == pytest.approx(TINY)
    assert float(gauge.spread) == pytest.approx(TINY)


@LEVELS
def test_a_level_of_which_nothing_is_known_has_a_gauge(level: int) -> None:
    """Finite and positive: an all-white matte must not end in NaN."""
    gauge = gauge_of(torch.zeros(3, *SHAPE), torch.ones(1, *SHAPE), level=level)
    assert torch.isfinite(gauge.mean).all()
    assert float(gauge.deviation) == pytest.approx(TINY)
    assert float(gauge.spread) == pytest.approx(TINY)
