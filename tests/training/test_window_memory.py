"""What a training window remembers of the shot: all that matte and occluder leave open."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.memory import remembered
from infusion_engine.settings import Network, Settings
from infusion_engine.training import window as windows
from infusion_engine.training.ground import Ground
from infusion_engine.training.window import Window, draw_window
from tests.decided import PRESETS

FRAMES, HEIGHT, WIDTH = SHAPE = (7, 32, 48)
BLOBS = replace(PRESETS["paper"], network=Network.RESIDUAL, window_frames=3)
"""Whole frames and published blobs; the published network itself remembers nothing."""
DRAFT = replace(PRESETS["draft"], window_frames=3, crop_pixels=20, batch=1)
BOTH = pytest.mark.parametrize("settings", [BLOBS, DRAFT], ids=["blobs", "draft"])
STEPS = range(30)
VARIANCE = 0.3


def matte() -> Tensor:
    """(1, T, H, W): a block that moves to the right by 3 pixels a frame."""
    hole = torch.zeros(1, *SHAPE)
    for t in range(FRAMES):
        hole[0, t, 13:19, 12 + 3 * t : 17 + 3 * t] = 1.0
    return hole


def clip() -> Tensor:
    """(3, T, H, W) in [-1, 1], another value at every voxel."""
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def coordinates() -> Tensor:
    """(3, T, H, W): frame, row and column of each voxel."""
    axes = [torch.arange(float(n)) for n in SHAPE]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def draw(settings: Settings, x_0: Tensor, step: int, guess: Tensor | None = None) -> Window:
    """A step's window of a clip, all of which is remembered; its place does not go by values."""
    ground = Ground(
        x_0=x_0,
        hole=matte(),
        missing=matte()[0].bool().numpy(),
        guess=guess,
        remembering=x_0,
        level=0,
        unit=1.0,
        variance=VARIANCE,
    )
    span = Interval(index=10, low=450, high=500)
    return draw_window(ground, settings=settings, interval=span, fit_seed=0, step=step)


@dataclass(frozen=True)
class Place:
    """Where a window of one piece lies, and what is open there over the whole shot."""

    start: int
    """First frame."""
    rows: Tensor
    """(h, w), rows of the clip."""
    columns: Tensor
    """(h, w), columns of the clip; falling in a mirrored window."""
    occluder: Tensor
    """(T, h, w) bool, in all frames of the shot."""
    open: Tensor
    """(T, h, w) bool: neither occluder nor matte."""

    @property
    def mirrored(self) -> bool:
        """Left and right exchanged."""
        return bool(self.columns[0, 0] > self.columns[0, 1])

    def of(self, x: Tensor) -> Tensor:
        """(C, T, H, W) -> (C, T, h, w), all frames of the place."""
        return x[:, :, self.rows, self.columns]


Find = Callable[[Settings, int], Place]


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Find:
    """Finds a step's place by its coordinates; its occluder is noted as it is drawn."""
    drawn: list[np.ndarray] = []

    def noting(invent: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def noted(*args: object, **kwargs: object) -> np.ndarray:
            drawn.append(invent(*args, **kwargs))
            return drawn[-1]

        return noted

    for name in ("bezier_blob", "shifted_matte"):
        monkeypatch.setattr(windows, name, noting(getattr(windows, name)))

    def found(settings: Settings, step: int) -> Place:
        where = draw(settings, coordinates(), step).x_0[0].long()  # (3, frames, h, w)
        start, rows, columns = int(where[0, 0, 0, 0]), where[1, 0], where[2, 0]
        occluder = torch.from_numpy(drawn[-1])
        if settings is BLOBS:  # a blob is drawn for the window, and held before and after it
            occluder = occluder[(torch.arange(FRAMES) - start).clamp(0, len(occluder) - 1)]
        hidden = occluder | matte()[0][:, rows, columns].bool()
        return Place(start, rows, columns, occluder, ~hidden)

    return found


@BOTH
def test_memory_is_the_mean_of_what_matte_and_occluder_leave_open(
    settings: Settings, find: Find
) -> None:
    """In every frame of the shot, and in the window just where its hole is open."""
    mirrored = 0
    for step in STEPS:
        place, window = find(settings, step), draw(settings, clip(), step)
        assert place.occluder.shape[0] == FRAMES
        inside = place.open[place.start : place.start + 3]
        assert torch.equal(window.hole[0, 0] == 0.0, inside)
        count = place.open.sum(0)
        mean = (place.of(clip()).double() * place.open).sum(1) / count.clamp(min=1)
        memory = window.hint.memory[0, :, 0]
        torch.testing.assert_close(memory.double(), mean, rtol=0.0, atol=1e-6)
        shown = place.of(clip())[None], place.open[None, None].float()
        weight = remembered(*shown, variance=VARIANCE).weight
        torch.testing.assert_close(window.hint.weight, weight)
        mirrored += place.mirrored
    assert mirrored == 0 if settings is BLOBS else 5 < mirrored < 25


@BOTH
@pytest.mark.parametrize("poison", [1e6, -1e30, math.nan])
def test_nothing_hidden_in_any_frame_is_remembered(
    settings: Settings, poison: float, find: Find
) -> None:
    """Whatever stands under matte and occluder, before, in and after the window: the same bits."""
    elsewhere = 0
    for step in STEPS:
        place = find(settings, step)
        poisoned = torch.full_like(clip(), poison)
        frames, ys, xs = place.open.nonzero(as_tuple=True)
        at = (slice(None), frames, place.rows[ys, xs], place.columns[ys, xs])
        poisoned[at] = clip()[at]
        clean, dirty = draw(settings, clip(), step), draw(settings, poisoned, step)
        for f in fields(Hint):
            assert torch.equal(getattr(dirty.hint, f.name), getattr(clean.hint, f.name)), f.name
        assert float(dirty.hint.memory.abs().max()) <= 1.0
        outside = place.occluder.clone()
        outside[place.start : place.start + 3] = False
        elsewhere += int((outside & ~place.of(matte())[0].bool()).sum())
    assert elsewhere > 100 * len(STEPS) / 2  # what only an occluder outside the window hides


def test_a_window_s_occluder_comes_from_before_it_and_goes_on_after_it(find: Find) -> None:
    """It moves over the window's edges as it does within: 3 pixels a frame, in one direction."""
    crossed = 0
    for step in STEPS:
        place = find(DRAFT, step)
        # Of a block that the crop's sides do not cut, the mean column tells the place.
        middles = [
            float(f.nonzero()[:, 1].float().mean()) if int(f.sum()) == 30 else None
            for f in place.occluder
        ]
        moves = [None if a is None or b is None else b - a for a, b in pairwise(middles)]
        assert {abs(move) for move in moves if move is not None} <= {0.0, 3.0}
        assert len({move for move in moves if move}) <= 1
        edges = [i for i in (place.start - 1, place.start + 2) if 0 <= i < len(moves)]
        crossed += sum(bool(moves[i]) for i in edges)
    assert crossed > 15


@pytest.mark.parametrize("finer", [False, True], ids=["coarsest", "finer"])
def test_a_mirrored_window_has_a_mirrored_memory(find: Find, finer: bool) -> None:
    """A plate that shows its columns is remembered as the window shows it, left or right."""
    columns = coordinates()[2:].expand(3, *SHAPE).contiguous()
    guess = torch.zeros_like(columns) if finer else None  # all of the columns are detail, then
    mirrored = []
    for step in STEPS:
        window, place = draw(DRAFT, columns, step, guess), find(DRAFT, step)
        mean, weight = window.hint.memory[0], window.hint.weight[0]
        seen = (weight > 0).expand_as(mean[:, :1])
        assert bool(seen.any())
        torch.testing.assert_close(mean[:, :1][seen], window.x_0[0, :, :1][seen])
        mirrored.append(place.mirrored)
    assert 0.2 < np.mean(mirrored) < 0.8
