"""Windows: a long clip is seen as training saw it, and each frame is as sure as any."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from infusion_engine.diffusion.denoise import Model
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.reach import Reach
from infusion_engine.diffusion.tiles import Tiled
from infusion_engine.diffusion.windows import (
    frames_seen,
    stretches,
    weights,
    window_of,
    windowed_tiles,
)
from infusion_engine.settings import Network
from tests.decided import PRESETS
from tests.diffusion.test_tiles import SHAPE, model, moving_hole

WINDOW = 8
FAR = Reach(frames=8, pixels=36, grid=4, values=0.0, besides=0.0)


@given(st.integers(1, 90), st.integers(1, 20))
def test_windows_are_as_long_as_asked_and_leave_no_frame_out(frames: int, length: int) -> None:
    """Each begins within half a window of the one before; none begins before or ends after."""
    windows = stretches(frames, length)
    assert {one.stop - one.start for one in windows} == {min(frames, length)}
    assert (windows[0].start, windows[-1].stop) == (0, frames)
    steps = [b.start - a.start for a, b in pairwise(windows)]
    assert all(0 < step <= max(1, length // 2) for step in steps)
    assert frames_seen(frames, length) == len(windows) * min(frames, length)
    assert frames_seen(frames, None) == frames


@given(st.integers(1, 90), st.integers(1, 20))
def test_what_windows_say_of_a_frame_makes_one(frames: int, length: int) -> None:
    """Where several see it; and the middle of a window counts for more than its ends."""
    windows = stretches(frames, length)
    sums = torch.zeros(frames, dtype=torch.float64)
    for one, shares in zip(windows, weights(windows), strict=True):
        assert min(shares) > 0.0
        sums[one] += torch.tensor(shares, dtype=torch.float64)
    assert torch.allclose(sums, torch.ones(frames, dtype=torch.float64))
    if frames > 4 * length and length > 3:
        inner = weights(windows)[2]
        assert inner[length // 2] > inner[0]


def told(hole: Tensor) -> tuple[Tensor, Tensor, Hint]:
    """(x_t, the clip, a hint) of a clip with that hole, (1, T, H, W)."""
    torch.manual_seed(1)
    size = hole.shape[1:]
    hint = Hint(
        guess=torch.randn(1, 3, *size),
        memory=torch.randn(1, 3, 1, *size[1:]),
        weight=torch.rand(1, 1, 1, *size[1:]),
        energy=torch.rand(1, 1, *size),
    )
    return torch.randn(1, 3, *size), torch.randn(1, 3, *size) * (1 - hole), hint


def by_windows(found: Model, hole: Tensor, window: int) -> Tensor:
    """Predicted x_0 of every window by itself, put together: (3, T, H, W)."""
    x_t, clip, hint = told(hole)
    windows = stretches(hole.shape[1], window)
    predicted = torch.zeros_like(x_t[0])
    every = slice(None)
    for one, shares in zip(windows, weights(windows), strict=True):
        part = found(
            x_t[:, :, one],
            clip[:, :, one],
            hole[None, :, one],
            hint.within(one, every, every),
            torch.tensor([300]),
        )
        predicted[:, one] += part[0] * torch.tensor(shares)[:, None, None]
    return predicted


@pytest.mark.parametrize("window", [3, WINDOW, 12])
@pytest.mark.parametrize("share", [1.0, 0.05])
def test_tiles_of_windows_give_what_windows_give(window: int, share: float) -> None:
    """In every missing voxel, to rounding, for any size of tile; a matte may leave and return."""
    found, hole = model(Network.RESIDUAL), moving_hole()
    x_t, clip, hint = told(hole)
    pieces = windowed_tiles(
        hole, window=window, most_voxels=int(share * hole.numel()), reach=found.reach
    )
    with torch.no_grad():
        expected = by_windows(found, hole, window)
        tiled = Tiled(found, pieces)(x_t, clip, hole[None], hint, torch.tensor([300]))[0]
    missing = hole.bool().expand(3, *SHAPE)
    size = float(expected[missing].std())
    assert torch.allclose(tiled[missing], expected[missing], atol=1e-4 * size, rtol=1e-4)
    assert all(tile.seen.frames.stop - tile.seen.frames.start <= window for tile in pieces)


def test_without_a_window_tiles_are_those_of_the_clip() -> None:
    """Which answer for their frames alone."""
    pieces = windowed_tiles(moving_hole(), window=None, most_voxels=10**9, reach=FAR)
    assert [tile.shares for tile in pieces] == [()] * len(pieces)
    assert max(tile.seen.frames.stop - tile.seen.frames.start for tile in pieces) > WINDOW


@pytest.mark.parametrize("frames", [WINDOW, 24, 37])
def test_what_stands_still_is_filled_as_in_training_in_a_shot_s_middle(frames: int) -> None:
    """Every frame is a mean of what one window shows, however long the shot is."""
    found = model(Network.RESIDUAL)
    hole = torch.zeros(1, 1, 40, 40)
    hole[..., 10:30, 10:30] = 1.0
    x_t, clip, hint = told(hole)

    def said(length: int) -> Tensor:
        """Predicted in the hole of a clip of so many equal frames, (3, length, N)."""
        noisy, known, missing = (x.expand(-1, -1, length, -1, -1) for x in (x_t, clip, hole[None]))
        again = replace(
            hint,
            guess=hint.guess.expand(-1, -1, length, -1, -1),
            energy=hint.energy.expand(-1, -1, length, -1, -1),
        )
        pieces = windowed_tiles(missing[0], window=WINDOW, most_voxels=10**9, reach=FAR)
        with torch.no_grad():
            predicted = Tiled(found, pieces)(noisy, known, missing, again, torch.tensor([1]))[0]
        return predicted[:, :, hole[0, 0] > 0.0]

    seen, whole = said(WINDOW), said(frames)
    assert bool((whole <= seen.amax(1, keepdim=True) + 1e-5).all())
    assert bool((whole >= seen.amin(1, keepdim=True) - 1e-5).all())
    # And an end does make a difference, or there were nothing to see to.
    assert float((seen[:, 0] - seen[:, WINDOW // 2]).abs().max()) > 1e-4


def test_only_our_network_at_the_coarsest_size_is_shown_windows() -> None:
    """As long as those of training; whole clips are what was published."""
    assert window_of(PRESETS["paper"], 0) is None
    for name in ("draft", "standard"):
        assert window_of(PRESETS[name], 0) == PRESETS[name].window_frames
        assert window_of(PRESETS[name], 1) is None
