"""The gauge: a level in numbers, from its known voxels alone."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.residual import LEAST_SPREAD, Gauge, ResidualDenoiser
from infusion_engine.diffusion.schedule import T
from infusion_engine.training.gauge import _explained, measured
from infusion_engine.training.ground import Ground, lay_ground
from infusion_engine.training.window import Window, draw_window
from tests.decided import PRESETS

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


def moving_matte(frames: int = 12, speed: int = 3) -> Tensor:
    """(1, T, H, W): a block of 8 x 8 pixels that goes to the right."""
    hole = torch.zeros(1, frames, *SHAPE[1:])
    for t in range(frames):
        hole[:, t, 20:28, 6 + speed * t : 14 + speed * t] = 1.0
    return hole


def laid(x_0: Tensor, hole: Tensor | None = None, *, level: int = 0) -> Ground:
    """Ground of a clip under a matte."""
    return lay_ground(PyramidLevel(x_0, matte() if hole is None else hole), level, DRAFT)


def gauge_of(x_0: Tensor, hole: Tensor | None = None, *, level: int = 0) -> Gauge:
    """The gauge of a clip under a matte."""
    return measured(laid(x_0, hole, level=level), settings=DRAFT, fit_seed=0)


def windows(ground: Ground) -> list[Window]:
    """Training windows that the gauge has not met, at any timestep."""
    whole = Interval(0, 0, T)
    return [
        draw_window(ground, settings=DRAFT, interval=whole, fit_seed=1, step=step)
        for step in range(12)
    ]


def same(a: Gauge, b: Gauge) -> bool:
    """True when all parts have the same bits."""
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Gauge))


@LEVELS
def test_mean_and_deviation_are_those_of_the_known_voxels(level: int) -> None:
    """The mean of each channel, and the mean of the channels' deviations, in the level's unit."""
    unit = laid(clip(), level=level).unit
    known = clip().numpy().astype("float64")[:, matte()[0].numpy() == 0.0] / unit  # (3, N)
    gauge = gauge_of(clip(), level=level)
    assert gauge.mean.tolist() == pytest.approx(known.mean(1).tolist(), rel=1e-5)
    assert float(gauge.deviation) == pytest.approx(known.std(1).mean(), rel=1e-5)
    assert {getattr(gauge, f.name).dtype for f in fields(Gauge)} == {torch.float32}
    shapes = {f.name: tuple(getattr(gauge, f.name).shape) for f in fields(Gauge)}
    assert shapes.pop("axes") == (3, 3)
    assert {name for name, shape in shapes.items() if shape == (3,)} == {"mean", "shares"}
    assert set(shapes.values()) == {(3,), ()}


@LEVELS
@pytest.mark.parametrize("extreme", [1e6, -1e30, math.nan])
def test_what_stands_under_the_matte_has_no_say(level: int, extreme: float) -> None:
    """Any value there, the same bits."""
    poisoned = torch.where(matte() == 1.0, extreme, clip())
    assert same(gauge_of(poisoned, level=level), gauge_of(clip(), level=level))


def test_a_gauge_goes_with_the_values() -> None:
    """Contrast scales all of it; brightness moves the mean and nothing else."""
    gauge, strong, bright = gauge_of(clip()), gauge_of(clip() * 4.0), gauge_of(clip() + 2.0)
    factors = {"mean": 4.0, "deviation": 4.0, "spread": 4.0, "moving": 1.0, "unseen": 16.0}
    factors |= {"axes": 1.0, "shares": 1.0}
    assert set(factors) == {f.name for f in fields(Gauge)}
    for part, factor in factors.items():
        assert torch.allclose(getattr(strong, part), getattr(gauge, part) * factor, rtol=1e-3)
        moved = getattr(gauge, part) + (2.0 if part == "mean" else 0.0)
        assert torch.allclose(getattr(bright, part), moved, rtol=1e-3, atol=1e-5)


def test_a_finer_level_s_gauge_is_the_same_for_any_contrast() -> None:
    """Bit for bit: its unit has taken the contrast away."""
    assert same(gauge_of(clip(), level=1), gauge_of(clip() * 4.0, level=1))


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


@LEVELS
def test_less_is_left_to_find_where_other_frames_saw_it(level: int) -> None:
    """Of a plate that stands still, what a moving matte uncovers is remembered."""
    still = clip()[:, :1].expand(3, 12, *SHAPE[1:])
    spreads = [
        float(gauge_of(still, moving_matte(speed=speed), level=level).spread) for speed in (0, 3)
    ]
    assert spreads[1] < 0.3 * spreads[0]


def test_a_finer_level_s_spread_is_all_of_its_detail_where_none_is_remembered() -> None:
    """Of a chequer of single pixels, under a matte that never moves: halving takes it all away."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    chequer = (0.3 * (1.0 - 2.0 * ((x + y) % 2)))[None, None].expand(3, *SHAPE)
    unit = laid(chequer, level=1).unit
    assert float(gauge_of(chequer, level=1).spread) == pytest.approx(0.3 / unit, rel=1e-2)


def test_squared_errors_are_explained_by_what_is_expected() -> None:
    """Two factors are found again from squares as uncertain as squares of normal values are."""
    rng = np.random.default_rng(0)
    expected = np.stack([rng.exponential(0.1, 20_000), rng.uniform(0, 1, 20_000)], 1)
    for factors in ((0.7, 0.02), (0.0, 0.05), (1.3, 0.0)):
        squares = expected @ np.array(factors) * rng.standard_normal(20_000) ** 2
        found = _explained(squares, expected, least=1e-6)
        assert found == pytest.approx(factors, rel=0.1, abs=2e-3)


def test_nothing_to_explain_leaves_the_least_there_may_be() -> None:
    """No errors at all, or none but nought: a floor, and no factor that is no number."""
    for squares in (np.zeros(0), np.zeros(5)):
        assert _explained(squares, np.ones((len(squares), 2)), least=1e-4) == (0.0, 1e-4)


def test_no_factor_is_below_nothing() -> None:
    """Errors that are less where more is expected: the one is left out and not subtracted."""
    energy = np.linspace(0.0, 1.0, 1000)
    expected = np.stack([energy, np.ones(1000)], 1)
    moving, unseen = _explained(1.0 - 0.5 * energy, expected, least=1e-6)
    assert moving == 0.0
    assert unseen == pytest.approx(0.75, abs=0.1)


def two_halves(frames: int = 12) -> Tensor:
    """(3, T, H, W): grain whose deviation is 0.02 in the left half and 0.3 in the right."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.full(SHAPE[1:], 0.02)
    sizes[:, 24:] = 0.3
    return sizes * torch.randn(3, frames, *SHAPE[1:], generator=generator)


@LEVELS
def test_what_is_expected_is_what_is_found(level: int) -> None:
    """Over windows that the gauge has not met, in quiet and in lively parts of the plate."""
    ground = laid(two_halves(), moving_matte(), level=level)
    gauge = measured(ground, settings=DRAFT, fit_seed=0)
    expected, found = [], []
    for window in windows(ground):
        hint, counts = window.hint, window.counted > 0
        variance = gauge.moving * hint.energy + gauge.unseen * (1 - hint.weight)
        expected.append(variance.expand_as(window.counted)[counts])
        found.append((window.x_0 - hint.guess).square().mean(1, keepdim=True)[counts])
    guessed, squares = torch.cat(expected), torch.cat(found)
    quiet = guessed < guessed.median()
    ratio = [float(guessed[part].mean() / squares[part].mean()) for part in (quiet, ~quiet)]
    assert 0.5 < ratio[0] < 4.0  # beside what is 200 times as much, an estimate errs
    assert 0.7 < ratio[1] < 1.4
    assert float(squares[~quiet].mean()) > 10.0 * float(squares[quiet].mean())


@LEVELS
def test_a_quiet_part_is_not_expected_to_be_as_lively_as_the_rest(level: int) -> None:
    """The spread goes by the surroundings: the least on the plate's left, all on its right."""
    ground = laid(two_halves(), moving_matte(), level=level)
    model = ResidualDenoiser(channels=8)
    model.gauge = measured(ground, settings=DRAFT, fit_seed=0)
    spread, sizes = [], []
    marked = replace(ground, x_0=torch.arange(48.0).expand_as(ground.x_0))
    for window, place in zip(windows(ground), windows(marked), strict=True):
        hidden = window.counted > 0
        spread.append(model.spread(window.hint).expand_as(hidden)[hidden])
        sizes.append(place.x_0[:, :1][hidden])
    local, column = torch.cat(spread) / model.gauge.spread, torch.cat(sizes)
    assert float(local[column < 16].median()) == pytest.approx(LEAST_SPREAD)
    assert float(local[column > 32].mean()) > 0.9


@LEVELS
def test_a_flat_plate_has_a_gauge(level: int) -> None:
    """The mean is its colour; nothing is so small that it could not be divided by."""
    colour = torch.tensor([0.1, -0.2, 0.7])
    flat = colour[:, None, None, None].expand(3, *SHAPE)
    gauge = gauge_of(flat, level=level)
    assert torch.allclose(gauge.mean, colour / laid(flat, level=level).unit)
    assert float(gauge.deviation) == pytest.approx(TINY)
    assert float(gauge.spread) == pytest.approx(TINY)
    assert float(gauge.moving) == 0.0
    assert 0.0 <= float(gauge.unseen) < TINY**2
    assert torch.isfinite(gauge.axes).all()
    assert bool((gauge.shares > 0.0).all())


@LEVELS
def test_a_level_of_which_nothing_is_known_has_a_gauge(level: int) -> None:
    """Finite and positive: an all-white matte must not end in NaN."""
    gauge = gauge_of(torch.zeros(3, *SHAPE), torch.ones(1, *SHAPE), level=level)
    assert torch.isfinite(gauge.mean).all()
    assert float(gauge.deviation) == pytest.approx(TINY)
    assert float(gauge.spread) == pytest.approx(TINY)
    assert torch.equal(gauge.axes, torch.eye(3))
    assert torch.equal(gauge.shares, torch.ones(3))
