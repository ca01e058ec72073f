"""Training windows: what the network is shown, and that nothing is drawn twice differently."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.interval import Interval, intervals
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.settings import PRESETS, Objective, Settings, Spacing
from infusion_engine.training.window import Window, draw_window

SPAN = Interval(index=10, low=450, high=500)
PAPER = replace(PRESETS["paper"], window_frames=4)
DRAFT = replace(PRESETS["draft"], window_frames=4, crop_pixels=16, batch=2)
BOTH = pytest.mark.parametrize("settings", [PAPER, DRAFT], ids=["paper", "draft"])


def clip(shape: tuple[int, int, int] = (6, 32, 48), value: float | None = None) -> Tensor:
    """(3, T, H, W), 0 under the matte of :func:`matte`."""
    torch.manual_seed(0)
    x_0 = torch.rand(3, *shape) * 2 - 1 if value is None else torch.full((3, *shape), value)
    return x_0 * (1 - matte(shape))


def matte(shape: tuple[int, int, int] = (6, 32, 48)) -> Tensor:
    """(1, T, H, W): a block in the middle."""
    hole = torch.zeros(1, *shape)
    hole[:, :, shape[1] // 2 - 4 : shape[1] // 2 + 3, shape[2] // 2 - 5 : shape[2] // 2 + 4] = 1.0
    return hole


def draw(
    settings: Settings,
    *,
    step: int = 0,
    fit_seed: int = 0,
    interval: Interval = SPAN,
    reach: int = 1,
) -> Window:
    """A window of the clip."""
    return draw_window(
        clip(),
        matte(),
        settings=settings,
        interval=interval,
        fit_seed=fit_seed,
        step=step,
        reach=reach,
    )


def same(a: Window, b: Window) -> bool:
    """True when all tensors have the same bits."""
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Window))


@BOTH
def test_a_window_is_a_function_of_seed_interval_and_step(settings: Settings) -> None:
    """Whatever was drawn before it, and whatever torch's own generator does."""
    torch.manual_seed(1)
    first = draw(settings, step=7)
    for step in range(3):
        draw(settings, step=step)
    torch.manual_seed(2)
    assert same(first, draw(settings, step=7))
    assert not same(first, draw(settings, step=8))
    assert not same(first, draw(settings, step=7, fit_seed=1))
    assert not same(first, draw(settings, step=7, interval=Interval(9, 500, 550)))


@BOTH
def test_sizes(settings: Settings) -> None:
    """Whole frames for the paper, square crops for ours; as many frames as there are."""
    window = draw(settings)
    size = (4, 32, 48) if settings is PAPER else (4, 16, 16)
    assert window.x_t.shape == (settings.batch, 3, *size)
    assert window.x_0.shape == window.conditioning.shape == window.x_t.shape
    assert window.hole.shape == window.counted.shape == (settings.batch, 1, *size)
    assert window.t.shape == (settings.batch,)
    long = draw(replace(settings, window_frames=20, crop_pixels=0))
    assert long.x_t.shape[2:] == (6, 32, 48)


@BOTH
def test_the_hole_is_occluder_or_matte(settings: Settings) -> None:
    """All of the matte and something more is missing; what is missing is not conditioned on."""
    more = 0
    for step in range(20):
        window = draw(settings, step=step)
        under_matte = window.x_0 == 0.0
        assert bool((window.hole.expand_as(under_matte)[under_matte] == 1.0).all())
        assert set(window.hole.flatten().tolist()) <= {0.0, 1.0}
        assert not (window.conditioning * window.hole).any()
        seen = window.hole.expand_as(window.x_0) == 0.0
        assert torch.equal(window.conditioning[seen], window.x_0[seen])
        more += int((window.hole.expand_as(window.x_0) > under_matte).sum())
    assert more > 0


@BOTH
def test_the_matte_is_never_counted(settings: Settings) -> None:
    """Published: all else counts. Ours: what is under the occluder and not under the matte."""
    for step in range(20):
        window = draw(settings, step=step)
        under_matte = (window.x_0 == 0.0).all(1, keepdim=True)
        assert not window.counted[under_matte].any()
        outside = window.counted[~under_matte]
        if settings.objective is Objective.KNOWN:
            assert bool((outside == 1.0).all())
        else:
            assert torch.equal(outside, window.hole[~under_matte])


@pytest.mark.parametrize("interval", [Interval(0, 950, 1000), SPAN, Interval(19, 0, 50)], ids=str)
def test_forward_noise_has_the_schedule_s_moments(interval: Interval) -> None:
    """x_t ~ N(sqrt(alpha-bar_t) x_0, 1 - alpha-bar_t) at the window's own timestep."""
    shape, value = (6, 32, 48), 0.7
    x_0, nothing = torch.full((3, *shape), value), torch.zeros(1, *shape)
    settings = replace(PAPER, window_frames=6)
    for step in range(4):
        window = draw_window(
            x_0, nothing, settings=settings, interval=interval, fit_seed=0, step=step, reach=1
        )
        a, count = alpha_bar(int(window.t)), window.x_t.numel()
        values = window.x_t.double()
        assert float(values.mean()) == pytest.approx(
            a**0.5 * value, abs=4 * ((1 - a) / count) ** 0.5
        )
        assert float(values.var()) == pytest.approx(1 - a, rel=4 * (2 / count) ** 0.5)


def test_each_window_of_a_batch_has_its_own_noise_level() -> None:
    """Two windows, two timesteps, two fields of noise."""
    settings = replace(DRAFT, batch=4, crop_pixels=32)
    window = draw_window(
        torch.zeros(3, 6, 32, 48),
        matte(),
        settings=settings,
        interval=Interval(0, 300, 1000),
        fit_seed=0,
        step=0,
        reach=1,
    )
    assert len(set(window.t.tolist())) > 1
    for x, t in zip(window.x_t.double(), window.t.tolist(), strict=True):
        assert float(x.var()) == pytest.approx(1 - alpha_bar(t), rel=0.1)
    fields_ = torch.stack([x.flatten() for x in window.x_t])
    correlation = torch.corrcoef(fields_) - torch.eye(4)
    assert float(correlation.abs().max()) < 5 / fields_.shape[1] ** 0.5


def test_published_timesteps_are_uniform_over_the_interval() -> None:
    """Every one of the fifty is drawn, low included and high not."""
    small = torch.zeros(3, 1, 16, 16)
    drawn = [
        int(
            draw_window(
                small, small[:1], settings=PAPER, interval=SPAN, fit_seed=0, step=step, reach=1
            ).t
        )
        for step in range(600)
    ]
    counts = np.bincount(drawn, minlength=1000)
    assert set(drawn) == set(range(450, 500))
    assert counts.max() < 30  # 12 on average


@pytest.mark.parametrize("index", range(5))
def test_our_timesteps_stay_within_the_interval(index: int) -> None:
    """Uniform over log-SNR: all of nearly pure noise is one level, at T - 1."""
    span = intervals(5, Spacing.LOG_SNR)[index]
    settings = replace(DRAFT, batch=100, window_frames=1)
    hole = torch.zeros(1, 1, 16, 16)
    hole[..., :4, :4] = 1.0
    window = draw_window(
        torch.zeros(3, 1, 16, 16),
        hole,
        settings=settings,
        interval=span,
        fit_seed=0,
        step=0,
        reach=1,
    )
    drawn = set(window.t.tolist())
    assert all(t in span for t in drawn)
    assert len(drawn) > min(20, (span.high - span.low) // 2)
    if index == 0:
        assert 999 in drawn
        assert not any(700 < t < 999 for t in drawn)


def test_windows_reach_both_ends_of_the_clip() -> None:
    """Every start is drawn, and frames follow one another as in the clip."""
    frames = torch.arange(6.0)[None, :, None, None].expand(3, 6, 16, 16)
    starts = set()
    for step in range(60):
        window = draw_window(
            frames,
            torch.zeros(1, 6, 16, 16),
            settings=PAPER,
            interval=SPAN,
            fit_seed=0,
            step=step,
            reach=1,
        )
        order = window.x_0[0, 0, :, 0, 0].tolist()
        assert order == [order[0] + i for i in range(4)]
        starts.add(order[0])
    assert starts == {0.0, 1.0, 2.0}


def test_crops_show_all_of_the_plate_and_are_mirrored_half_of_the_time() -> None:
    """Every column is seen; left and right are exchanged at random, up and down never."""
    columns = torch.arange(48.0)[None, None, None].expand(3, 6, 32, 48)
    rows = torch.arange(32.0)[None, None, :, None].expand(3, 6, 32, 48)
    seen: set[float] = set()
    mirrored = []
    for step in range(60):
        across, down = (
            draw_window(x, matte(), settings=DRAFT, interval=SPAN, fit_seed=0, step=step, reach=1)
            for x in (columns, rows)
        )
        line = across.x_0[0, 0, 0, 0].tolist()
        mirrored.append(line[0] > line[1])
        assert sorted(line) == [min(line) + i for i in range(16)]
        column = down.x_0[0, 0, 0, :, 0].tolist()
        assert column == [column[0] + i for i in range(16)]
        seen.update(line)
    assert seen == set(range(48))
    assert 0.3 < np.mean(mirrored) < 0.7


@BOTH
def test_conditioning_is_zero_under_matte_and_occluder(settings: Settings) -> None:
    """Even for a clip that is not zero under its matte."""
    for step in range(10):
        window = draw_window(
            torch.ones(3, 6, 32, 48),
            matte(),
            settings=settings,
            interval=SPAN,
            fit_seed=0,
            step=step,
            reach=1,
        )
        assert torch.equal(window.conditioning, (1 - window.hole).expand_as(window.x_0))


@BOTH
def test_every_step_has_noise_of_its_own(settings: Settings) -> None:
    """Steps and intervals next to one another share nothing."""
    nothing = torch.zeros(3, 6, 32, 48)
    spans = (SPAN, SPAN, Interval(9, 500, 550))
    fields_ = torch.stack(
        [
            draw_window(
                nothing, matte(), settings=settings, interval=span, fit_seed=0, step=step, reach=1
            ).x_t.flatten()
            for span, step in zip(spans, (0, 1, 0), strict=True)
        ]
    )
    correlation = torch.corrcoef(fields_) - torch.eye(3)
    assert float(correlation.abs().max()) < 4.5 / fields_.shape[1] ** 0.5


@pytest.mark.parametrize(
    ("reach", "size", "batch"), [(1, (2, 16, 16), 4), (2, (4, 32, 32), 2), (4, (6, 32, 48), 1)]
)
def test_windows_that_reach_further_are_larger_and_fewer(
    reach: int, size: tuple[int, int, int], batch: int
) -> None:
    """Wider, longer, up to the clip itself; the batch never has fewer than one."""
    settings = replace(DRAFT, window_frames=2, batch=4)
    window = draw(settings, reach=reach)
    assert window.x_t.shape == (batch, 3, *size)
    assert window.counted.shape == (batch, 1, *size)
    assert draw(replace(settings, batch=1), reach=reach).x_t.shape[0] == 1
