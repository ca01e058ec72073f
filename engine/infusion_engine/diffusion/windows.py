"""Windows: a long clip shown to a network in stretches as long as those it was fitted on.

A network sees further than a training window is long. In training one end of the clip is therefore
always in sight, and in the middle of a whole shot none would be: there it says of what stands still
what it never was taught to (docs/decisions/windows.md).
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from infusion_engine.diffusion.reach import Reach
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.diffusion.tiles import Span, Tile, tiles
from infusion_engine.settings import Network, Settings


def window_of(settings: Settings, level: int) -> int | None:
    """Frames of a window in which pyramid level `level` is sampled; None for the clip as a whole.

    The published network is shown whole clips, as published. Ours is at the finer sizes: what is
    still has hardly any detail to grow there, and a window costs nearly twice the time.
    """
    windowed = settings.network is not Network.PUBLISHED and level == 0
    return settings.window_frames if windowed else None


def stretches(frames: int, length: int) -> tuple[slice, ...]:
    """[0, frames) in windows of `length`, each half over the one before, the last one at the end.

    A clip that is no longer than one window is one.
    """
    if frames <= length:
        return (slice(0, frames),)
    starts = [*range(0, frames - length, max(1, length // 2)), frames - length]
    return tuple(slice(start, start + length) for start in starts)


def frames_seen(frames: int, window: int | None) -> int:
    """Frames that one evaluation of so many takes, with those that are seen twice."""
    if window is None:
        return frames
    return sum(one.stop - one.start for one in stretches(frames, window))


def weights(windows: tuple[slice, ...]) -> list[tuple[float, ...]]:
    """How far each frame of each window is believed: least at its ends; together 1 at any frame."""
    slopes = []
    for one in windows:
        length = one.stop - one.start
        slopes.append([float(min(k + 1, length - k)) for k in range(length)])
    sums = [0.0] * max(one.stop for one in windows)
    for one, slope in zip(windows, slopes, strict=True):
        for frame, height in enumerate(slope, start=one.start):
            sums[frame] += height
    return [
        tuple(height / sums[frame] for frame, height in enumerate(slope, start=one.start))
        for one, slope in zip(windows, slopes, strict=True)
    ]


def windowed_tiles(
    hole: Tensor, *, window: int | None, most_voxels: int, reach: Reach, shelf: Shelf | None = None
) -> tuple[Tile, ...]:
    """Tiles of each window by itself, which see nothing outside it; their shares make 1.

    Args:
        hole: (1, T, H, W), 1 = missing.
        window: frames of one; None for tiles of the clip as a whole.
        most_voxels: as `tiles`.
        reach: as `tiles`.
        shelf: as `tiles`.
    """
    if window is None:
        return tiles(hole, most_voxels=most_voxels, reach=reach, shelf=shelf)
    found = []
    windows = stretches(hole.shape[1], window)
    for one, shares in zip(windows, weights(windows), strict=True):
        own = tiles(hole[:, one], most_voxels=most_voxels, reach=reach, shelf=shelf)
        found += [_placed(tile, one.start, shares) for tile in own]
    return tuple(found)


def _placed(tile: Tile, first: int, shares: tuple[float, ...]) -> Tile:
    """A tile of a window whose first frame is `first`, in the clip."""
    return Tile(
        kept=_later(tile.kept, first),
        seen=_later(tile.seen, first),
        shares=shares[tile.kept.frames],
    )


def _later(span: Span, first: int) -> Span:
    frames = slice(span.frames.start + first, span.frames.stop + first)
    return replace(span, frames=frames)
