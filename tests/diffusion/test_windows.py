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
from infusion_engine.diffusion.tiles import Tile, Tiled, windowed_tiles
from infusion_engine.diffusion.windows import (
    frames_seen,
    shares_of,
    window_frames_of,
    windows_of,
)
from infusion_engine.settings import Network
from tests.decided import PRESETS
from tests.diffusion.test_tiles import SHAPE, model, moving_hole

WINDOW = 8
ENOUGH = 10**9  # voxels that are more than there are


def seen(frames: int, length: int, *, level: int = 0) -> int:
    """Frames that an evaluation takes where training windows are that long."""
    return frames_seen(frames, replace(PRESETS["draft"], window_frames=length), level)


@given(st.integers(1, 90), st.integers(1, 20))
def test_windows_are_as_long_as_asked_and_leave_no_frame_out(frames: int, length: int) -> None:
    """Each begins half a window after the one before, or earlier at the end, and none is vain."""
    windows = windows_of(frames, length)
    assert {one.stop - one.start for one in windows} == {min(frames, length)}
    assert (windows[0].start, windows[-1].stop) == (0, frames)
    steps = [b.start - a.start for a, b in pairwise(windows)]
    half = (length + 1) // 2
    assert steps[:-1] == [half] * len(steps[:-1])
    assert all(0 < step <= half for step in steps)
    assert seen(frames, length) == len(windows) * min(frames, length) <= 2 * frames + length
    assert seen(frames, length, level=1) == frames


@given(st.integers(1, 90), st.integers(1, 20))
def test_what_windows_say_of_a_frame_makes_one(frames: int, length: int) -> None:
    """Where several see it; and the middle of a window counts for more than its ends."""
    windows = windows_of(frames, length)
    sums = torch.zeros(frames, dtype=torch.float64)
    for one, shares in zip(windows, shares_of(windows), strict=True):
        assert min(shares) > 0.0
        sums[one] += torch.tensor(shares, dtype=torch.float64)
    assert torch.allclose(sums, torch.ones(frames, dtype=torch.float64))
    if len(windows) > 3 and length > 3:
        inner = shares_of(windows)[1]
        assert inner[length // 2] > inner[0]


def leaving_hole() -> Tensor:
    """(1, T, H, W): a large matte that is there at first, and again at the end."""
    hole = torch.zeros(1, *SHAPE)
    hole[0, :9, 20:110, 30:130] = 1.0
    hole[0, 29:, 50:80, 30:60] = 1.0
    return hole


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
    windows = windows_of(hole.shape[1], window)
    predicted = torch.zeros_like(x_t[0])
    every = slice(None)
    for one, shares in zip(windows, shares_of(windows), strict=True):
        part = found(
            x_t[:, :, one],
            clip[:, :, one],
            hole[None, :, one],
            hint.within(one, every, every),
            torch.tensor([300]),
        )
        predicted[:, one] += part[0] * torch.tensor(shares)[:, None, None]
    return predicted


def cut(found: Model, hole: Tensor, window: int, share: float) -> tuple[Tile, ...]:
    """Tiles of windows, of at most that share of the clip's voxels where that can be."""
    most = int(share * hole.numel())
    return windowed_tiles(hole, window=window, most_voxels=most, reach=found.reach)


@pytest.mark.parametrize("hole", [moving_hole(), leaving_hole()], ids=["moving", "leaving"])
@pytest.mark.parametrize("window", [1, 3, WINDOW, 20])
@pytest.mark.parametrize("share", [1.0, 0.02])
def test_tiles_of_windows_give_what_windows_give(hole: Tensor, window: int, share: float) -> None:
    """In every missing voxel, to rounding, for any size of tile; none sees outside its window."""
    found = model(Network.RESIDUAL)
    x_t, clip, hint = told(hole)
    pieces = cut(found, hole, window, share)
    with torch.no_grad():
        expected = by_windows(found, hole, window)
        tiled = Tiled(found, pieces)(x_t, clip, hole[None], hint, torch.tensor([300]))[0]
    missing = hole.bool().expand(3, *SHAPE)
    size = float(expected[missing].std())
    assert torch.allclose(tiled[missing], expected[missing], atol=1e-4 * size, rtol=1e-4)
    spans = [tile.seen.frames for tile in pieces]
    windows = windows_of(SHAPE[0], window)
    assert all(any(w.start <= s.start and s.stop <= w.stop for w in windows) for s in spans)


def test_windows_are_cut_where_they_do_not_fit() -> None:
    """In space and in time: or nothing above would be known of tiles."""
    found = model(Network.RESIDUAL)
    few, many = cut(found, leaving_hole(), 20, 1.0), cut(found, leaving_hole(), 20, 0.02)
    assert len(many) > len(few)
    still = leaving_hole()[:, :1].expand(-1, SHAPE[0], -1, -1)
    lengths = [{len(tile.shares) for tile in cut(found, still, 20, share)} for share in (1.0, 0.02)]
    assert lengths[0] == {20}
    assert max(lengths[1]) < 20


def test_what_is_seen_is_what_is_told_of() -> None:
    """Every frame of every window, where all of them have a hole."""
    pieces = windowed_tiles(
        torch.ones(1, 37, 8, 8),
        window=WINDOW,
        most_voxels=ENOUGH,
        reach=model(Network.RESIDUAL).reach,
    )
    counted = sum(tile.seen.frames.stop - tile.seen.frames.start for tile in pieces)
    assert counted == seen(37, WINDOW)


@pytest.mark.parametrize("window", [None, SHAPE[0]])
def test_without_windows_tiles_are_those_of_the_clip(window: int | None) -> None:
    """Which answer for their frames alone."""
    reach = model(Network.RESIDUAL).reach
    pieces = windowed_tiles(moving_hole(), window=window, most_voxels=ENOUGH, reach=reach)
    assert [tile.shares for tile in pieces] == [()] * len(pieces)
    assert max(tile.seen.frames.stop - tile.seen.frames.start for tile in pieces) > WINDOW


def test_what_stands_still_is_filled_as_in_training_in_a_shot_s_middle() -> None:
    """Within what one window shows, however long the shot is; shown as a whole it is not."""
    found = model(Network.RESIDUAL)
    hole = torch.zeros(1, 1, 40, 40)
    hole[..., 10:30, 10:30] = 1.0
    x_t, clip, hint = told(hole)

    def said(length: int, window: int | None) -> Tensor:
        """Predicted in the hole of a clip of so many equal frames, (3, length, N)."""
        noisy, known, missing = (x.expand(-1, -1, length, -1, -1) for x in (x_t, clip, hole[None]))
        again = replace(
            hint,
            guess=hint.guess.expand(-1, -1, length, -1, -1),
            energy=hint.energy.expand(-1, -1, length, -1, -1),
        )
        pieces = windowed_tiles(missing[0], window=window, most_voxels=ENOUGH, reach=found.reach)
        with torch.no_grad():
            predicted = Tiled(found, pieces)(noisy, known, missing, again, torch.tensor([1]))[0]
        return predicted[:, :, hole[0, 0] > 0.0]

    one = said(WINDOW, WINDOW)
    least, most = one.amin(1, keepdim=True) - 1e-5, one.amax(1, keepdim=True) + 1e-5

    def strays(x: Tensor) -> bool:
        """Whether any voxel is outside what a window shows."""
        return bool(((x < least) | (x > most)).any())

    assert not strays(said(24, WINDOW))
    assert not strays(said(37, WINDOW))
    assert strays(said(24, None))


def test_only_our_network_at_the_coarsest_size_is_shown_windows() -> None:
    """As long as those of training; whole clips are what was published."""
    assert window_frames_of(PRESETS["paper"], 0) is None
    for name in ("draft", "standard"):
        assert window_frames_of(PRESETS[name], 0) == PRESETS[name].window_frames
        assert window_frames_of(PRESETS[name], 1) is None
