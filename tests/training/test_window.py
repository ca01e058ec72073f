"""Training windows: what they are cut from, what the network is shown, and what may repeat."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from infusion_engine.chain import Named, stages
from infusion_engine.diffusion.hint import Hint, coarsest_hint, detail_hint
from infusion_engine.diffusion.interval import Interval, intervals
from infusion_engine.diffusion.memory import remembered
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.diffusion.schedule import T, alpha_bar
from infusion_engine.settings import Objective, Settings, Spacing
from infusion_engine.training.ground import Ground, lay_ground
from infusion_engine.training.window import Window, draw_window
from tests.decided import PRESETS

SPAN = Interval(index=10, low=450, high=500)
PAPER = replace(PRESETS["paper"], window_frames=4)
DRAFT = replace(PRESETS["draft"], window_frames=4, crop_pixels=16, batch=2)
BOTH = pytest.mark.parametrize("settings", [PAPER, DRAFT], ids=["paper", "draft"])


SHAPE = (6, 32, 48)


def matte(shape: tuple[int, int, int] = SHAPE) -> Tensor:
    """(1, T, H, W): a block in the middle."""
    hole = torch.zeros(1, *shape)
    hole[:, :, shape[1] // 2 - 4 : shape[1] // 2 + 3, shape[2] // 2 - 5 : shape[2] // 2 + 4] = 1.0
    return hole


def clip() -> Tensor:
    """(3, T, H, W), 0 under the matte and nowhere else."""
    torch.manual_seed(0)
    return (torch.rand(3, *SHAPE) * 2 - 1) * (1 - matte())


def ground_of(x_0: Tensor, hole: Tensor, *, level: int = 0) -> Ground:
    """Ground that holds x_0 as it is, whatever the objective."""
    return Ground(
        x_0=x_0,
        hole=hole,
        missing=hole[0].bool().numpy(),
        guess=None if level == 0 else x_0,
        remembering=x_0 if level == 0 else 0.0 * x_0,
        level=level,
        unit=1.0,
        variance=0.3,
    )


def laid(settings: Settings, x_0: Tensor, *, level: int = 0) -> Ground:
    """Ground as a fit has it."""
    return lay_ground(PyramidLevel(x_0=x_0, hole=matte()), level, settings)


def draw(
    settings: Settings,
    ground: Ground | None = None,
    *,
    step: int = 0,
    fit_seed: int = 0,
    interval: Interval = SPAN,
) -> Window:
    """A window of the ground, or of the clip."""
    ground = laid(settings, clip()) if ground is None else ground
    return draw_window(ground, settings=settings, interval=interval, fit_seed=fit_seed, step=step)


def matte_within(settings: Settings, step: int) -> Tensor:
    """(B, 1, T, H, W) bool: where a step's windows have the matte; places do not go by values."""
    marked = ground_of(matte().expand(3, *SHAPE), matte())
    return draw(settings, marked, step=step).x_0[:, :1] == 1.0


def same(a: Window, b: Window) -> bool:
    """True when all tensors have the same bits."""
    return equal(parts(a), parts(b))


def parts(window: Window) -> list[Tensor]:
    """Every tensor of a window."""
    own = [getattr(window, f.name) for f in fields(Window) if f.name != "hint"]
    return own + hinted(window)


def hinted(window: Window) -> list[Tensor]:
    """Every tensor of a window's hint."""
    return [getattr(window.hint, f.name) for f in fields(Hint)]


def equal(some: list[Tensor], others: list[Tensor]) -> bool:
    """True when all have the same bits."""
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


@BOTH
def test_a_window_is_a_function_of_seed_level_interval_and_step(settings: Settings) -> None:
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
    finer = draw(settings, replace(laid(settings, clip()), level=1), step=7)
    assert not torch.equal(first.hole, finer.hole)  # as is its noise: see below


@BOTH
def test_sizes(settings: Settings) -> None:
    """Whole frames for the paper, square crops for ours; as many frames as there are."""
    window = draw(settings)
    size = (4, 32, 48) if settings is PAPER else (4, 16, 16)
    assert window.x_t.shape == (settings.batch, 3, *size)
    assert window.x_0.shape == window.conditioning.shape == window.x_t.shape
    assert window.hint.guess.shape == window.x_t.shape
    assert window.hint.weight.shape == (settings.batch, 1, 1, *size[1:])
    assert window.hint.energy.shape == (settings.batch, 1, *size)
    assert window.hole.shape == window.counted.shape == (settings.batch, 1, *size)
    assert window.t.shape == (settings.batch,)
    long = draw(replace(settings, window_frames=20, crop_pixels=0))
    assert long.x_t.shape[2:] == SHAPE
    large = draw(replace(settings, crop_pixels=64))
    assert large.x_t.shape[3:] == SHAPE[1:]


@BOTH
def test_the_hole_is_occluder_or_matte(settings: Settings) -> None:
    """All of the matte and something more is missing; what is missing is not conditioned on."""
    more = 0
    for step in range(20):
        window = draw(settings, step=step)
        under_matte = matte_within(settings, step)
        assert bool((window.hole[under_matte] == 1.0).all())
        assert set(window.hole.flatten().tolist()) <= {0.0, 1.0}
        assert not (window.conditioning * window.hole).any()
        seen = window.hole.expand_as(window.x_0) == 0.0
        assert torch.equal(window.conditioning[seen], window.x_0[seen])
        more += int((window.hole.bool() & ~under_matte).sum())
    assert more > 0


@BOTH
def test_the_matte_is_never_counted(settings: Settings) -> None:
    """Published: all else counts. Ours: what is under the occluder and not under the matte."""
    met = 0
    for step in range(20):
        window = draw(settings, step=step)
        under_matte = matte_within(settings, step)
        met += int(under_matte.sum())
        assert not window.counted[under_matte].any()
        outside = window.counted[~under_matte]
        if settings.objective is Objective.KNOWN:
            assert bool((outside == 1.0).all())
        else:
            assert torch.equal(outside, window.hole[~under_matte])
    assert met > 0


@pytest.mark.parametrize("level", [0, 1], ids=["coarsest", "finer"])
def test_the_hint_is_blind_to_the_occluder(level: int) -> None:
    """Made of what the network may see, and a finer level's guess, so that no answer is told."""
    settings = replace(DRAFT, crop_pixels=0, window_frames=6, batch=1)  # a window is the clip
    ground = laid(settings, clip(), level=level)
    for step in range(6):
        window = draw(settings, ground, step=step)
        seen = 1.0 - window.hole
        memory = remembered(ground.remembering[None], seen, variance=ground.variance)
        if ground.guess is None:
            expected = coarsest_hint(window.conditioning, window.hole, memory)
        else:
            expected = detail_hint(window.conditioning, ground.guess[None], window.hole, memory)
        assert equal(hinted(window), [getattr(expected, f.name) for f in fields(Hint)])
        hidden = window.hole[0].expand_as(clip()) == 1.0
        other = replace(
            ground,
            x_0=torch.where(hidden, 9.0, ground.x_0),
            remembering=torch.where(hidden, 9.0, ground.remembering),
        )
        altered = draw(settings, other, step=step)
        assert torch.equal(altered.hole, window.hole)
        assert not torch.equal(altered.x_0, window.x_0)
        assert equal(hinted(altered), hinted(window))
        assert torch.equal(altered.conditioning, window.conditioning)


def test_a_finer_level_s_guess_is_cut_where_the_clip_is() -> None:
    """At the same place, and mirrored alike; where nothing is remembered it is all of the guess."""
    ground = laid(DRAFT, clip(), level=1)
    assert ground.guess is not None
    swap = replace(ground, x_0=ground.guess, guess=ground.x_0)
    ground, swap = (replace(one, remembering=0.0 * one.x_0) for one in (ground, swap))
    for step in range(10):
        window, swapped = (draw(DRAFT, one, step=step) for one in (ground, swap))
        assert torch.equal(window.hint.guess, swapped.x_0)
        assert torch.equal(window.x_0, swapped.hint.guess)


@pytest.mark.parametrize("level", [0, 1], ids=["coarsest", "finer"])
def test_the_published_network_is_told_nothing(level: int) -> None:
    """It looks at no hint, so that none is made."""
    window = draw(PAPER, laid(PAPER, clip(), level=level))
    assert torch.equal(window.hint.guess, window.x_0)
    assert not window.hint.weight.any()
    assert not window.hint.energy.any()


def test_a_plate_of_twice_the_contrast_gives_a_finer_level_the_same_windows() -> None:
    """Bit for bit: its fit is the same."""
    one, other = (laid(DRAFT, contrast * clip(), level=1) for contrast in (1.0, 2.0))
    for step in range(6):
        assert same(draw(DRAFT, one, step=step), draw(DRAFT, other, step=step))


@pytest.mark.parametrize("extreme", [1e6, -1e30, math.nan])
def test_nothing_under_the_matte_has_a_say(extreme: float) -> None:
    """Whatever stands there, every level's ground and windows have the same bits."""
    poisoned = torch.where(matte() == 1.0, extreme, clip())
    fine, wild = PyramidLevel(clip(), matte()), PyramidLevel(poisoned, matte())
    both = ((coarser(fine), coarser(wild)), (fine, wild))
    for index, (clean, dirty) in enumerate(both):
        grounds = lay_ground(clean, index, DRAFT), lay_ground(dirty, index, DRAFT)
        for step in range(6):
            assert same(draw(DRAFT, grounds[0], step=step), draw(DRAFT, grounds[1], step=step))


def test_crops_keep_away_from_the_matte() -> None:
    """Of several places the one with least of it is taken; a single draw would meet more."""
    share = [float(matte_within(DRAFT, step).float().mean()) for step in range(40)]
    # A crop of 16 x 16 anywhere in 32 x 48 holds a seventh of the matte's pixels and more.
    frequency = matte()[0, 0].unfold(0, 16, 1).unfold(1, 16, 1).mean((2, 3))
    assert np.mean(share) < 0.5 * float(frequency.mean())


@pytest.mark.parametrize("interval", [Interval(0, 950, 1000), SPAN, Interval(19, 0, 50)], ids=str)
def test_forward_noise_has_the_schedule_s_moments(interval: Interval) -> None:
    """x_t ~ N(sqrt(alpha-bar_t) x_0, 1 - alpha-bar_t) at the window's own timestep."""
    shape, value = (6, 32, 48), 0.7
    x_0, nothing = torch.full((3, *shape), value), torch.zeros(1, *shape)
    settings = replace(PAPER, window_frames=6)
    for step in range(4):
        window = draw(settings, ground_of(x_0, nothing), interval=interval, step=step)
        a, count = alpha_bar(int(window.t)), window.x_t.numel()
        values = window.x_t.double()
        assert float(values.mean()) == pytest.approx(
            a**0.5 * value, abs=4 * ((1 - a) / count) ** 0.5
        )
        assert float(values.var()) == pytest.approx(1 - a, rel=4 * (2 / count) ** 0.5)


def test_each_window_of_a_batch_has_its_own_noise_level() -> None:
    """Two windows, two timesteps, two fields of noise."""
    settings = replace(DRAFT, batch=4, crop_pixels=32)
    window = draw(
        settings, ground_of(torch.zeros(3, *SHAPE), matte()), interval=Interval(0, 300, 1000)
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
    ground = ground_of(small, small[:1])
    drawn = [int(draw(PAPER, ground, step=step).t) for step in range(600)]
    counts = np.bincount(drawn, minlength=1000)
    assert set(drawn) == set(range(450, 500))
    assert counts.max() < 30  # 12 on average


@pytest.mark.parametrize("top", [1000, 760, 300])
@pytest.mark.parametrize("index", range(3))
def test_our_timesteps_stay_within_the_interval(index: int, top: int) -> None:
    """Uniform over log-SNR: all of nearly pure noise is one level, the interval's noisiest."""
    span = intervals(3, Spacing.LOG_SNR, top=top)[index]
    settings = replace(DRAFT, batch=100, window_frames=1)
    hole = torch.zeros(1, 1, 16, 16)
    hole[..., :4, :4] = 1.0
    window = draw(settings, ground_of(torch.zeros(3, 1, 16, 16), hole), interval=span)
    drawn = set(window.t.tolist())
    assert all(t in span for t in drawn)
    assert len(drawn) > min(20, (span.high - span.low) // 2)
    if index == 0 and top > 702:  # from 702 on, alpha-bar is less than exp(-5)
        assert top - 1 in drawn
        assert not any(702 < t < top - 1 for t in drawn)


def test_windows_reach_both_ends_of_the_clip() -> None:
    """Every start is drawn, and frames follow one another as in the clip."""
    frames = torch.arange(6.0)[None, :, None, None].expand(3, 6, 16, 16)
    starts = set()
    for step in range(60):
        window = draw(PAPER, ground_of(frames, torch.zeros(1, 6, 16, 16)), step=step)
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
        across, down = (draw(DRAFT, ground_of(x, matte()), step=step) for x in (columns, rows))
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
        window = draw(settings, ground_of(torch.ones(3, *SHAPE), matte()), step=step)
        assert torch.equal(window.conditioning, (1 - window.hole).expand_as(window.x_0))


@BOTH
def test_every_step_has_noise_of_its_own(settings: Settings) -> None:
    """Steps, intervals and levels next to one another share nothing."""
    nothing = ground_of(torch.zeros(3, *SHAPE), matte())
    finer = ground_of(torch.zeros(3, *SHAPE), matte(), level=1)
    after = Interval(9, 500, 550)
    drawn = [(nothing, SPAN, 0), (nothing, SPAN, 1), (nothing, after, 0), (finer, SPAN, 0)]
    fields_ = torch.stack(
        [
            draw(settings, ground, interval=span, step=step).x_t.flatten()
            for ground, span, step in drawn
        ]
    )
    correlation = torch.corrcoef(fields_) - torch.eye(4)
    assert float(correlation.abs().max()) < 4.5 / fields_.shape[1] ** 0.5


def test_the_first_fit_of_all_draws_its_batches_at_once() -> None:
    """`layout_batches` times the windows in each of its steps, all different; no other fit does."""
    settings = replace(DRAFT, layout_batches=3)
    shot = Named("a" * 64, {}, tops=(T, 500), units=(1.0, 0.5), seed=0, take=0)
    ground = laid(settings, clip())
    drawn = [draw(one.settings, ground, interval=one.interval) for one in stages(shot, settings)]
    assert [len(window.x_0) for window in drawn] == [6, 2, 2, 2, 2, 2]
    for window in drawn:
        assert window.x_0.shape[1:] == window.x_t.shape[1:] == (3, 4, 16, 16)
        assert len(window.t) == len(window.hole) == len(window.x_0)
    assert len({window.numpy().tobytes() for window in drawn[0].x_t}) == 6
