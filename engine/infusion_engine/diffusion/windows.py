"""Windows: a long clip shown to a network in stretches as long as those it was fitted on.

A network sees further than a training window is long. In training one end of the window is
therefore always in sight, and in the middle of a whole shot none would be: there it says of what
stands still what it never was taught to (docs/decisions/windows.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from infusion_engine.settings import Network, Settings


def window_frames_of(settings: Settings, level: int) -> int | None:
    """Frames of a window in which pyramid level `level` is sampled; None for the clip as a whole.

    The published network is shown whole clips, as published. Ours is at the finer sizes, where
    time goes: the contrast of what is still grew there by a tenth, and at the coarsest by half.
    """
    windowed = settings.network is not Network.PUBLISHED and level == 0
    return settings.window_frames if windowed else None


def windows_of(frames: int, length: int) -> tuple[slice, ...]:
    """[0, frames) in windows of `length`, each half over the one before, the last at the end.

    A clip that is no longer than one window is one.
    """
    if frames <= length:
        return (slice(0, frames),)
    starts = [*range(0, frames - length, -(-length // 2)), frames - length]
    return tuple(slice(start, start + length) for start in starts)


def frames_seen(frames: int, settings: Settings, level: int) -> int:
    """Frames that one evaluation of so many takes, each as often as a window shows it."""
    window = window_frames_of(settings, level)
    if window is None:
        return frames
    return sum(one.stop - one.start for one in windows_of(frames, window))


def shares_of(windows: Sequence[slice]) -> list[tuple[float, ...]]:
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
