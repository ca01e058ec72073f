"""Work: how many voxels a job's tasks have a network see, and how large what they keep is."""

from __future__ import annotations

from dataclasses import dataclass

from infusion_engine.budget import evaluations
from infusion_engine.diffusion.interval import intervals, laid_out_by
from infusion_engine.diffusion.windows import frames_seen
from infusion_engine.farm.division import Division
from infusion_engine.media.box import Box
from infusion_engine.settings import ROUND_WORK, Area, Settings, at_interval, at_level

_FLOAT = 4
_CLIP_VOXEL = 3 * _FLOAT + 1
"""Bytes of a voxel of the clip as it is kept: three floats, and whether it is missing."""


@dataclass(frozen=True)
class Work:
    """What one shot takes, whatever the machine."""

    base: int
    """Voxels of all training windows of the fit that others start from."""
    fits: tuple[int, ...]
    """The same of each interval's fit, coarsest and noisiest first."""
    evaluated: int
    """Voxels of all evaluations that one take's sample takes, each as often as it is seen."""
    searched: int
    """What searches for patches take beside that, in voxels evaluated in the same time."""
    clip_bytes: int
    """Of the clip at every size, in the cache."""
    sample_bytes: int
    """Of one take's sample, in the cache."""


def work_of(settings: Settings, division: Division) -> Work:
    """What a job's fits and samples take; nothing where there is no hole."""
    levels = range(len(division.intervals))
    fits = tuple(
        _fit_voxels(settings, division, level, index)
        for level in levels
        for index in range(division.intervals[level])
    )
    seen = [_seen(settings, division, level) for level in levels]
    parts = () if division.layout is None else division.layout.parts
    frames = division.frames_read
    clip = sum(part.width * part.height for part in parts) * frames
    return Work(
        base=fits[0] if fits else 0,
        fits=fits,
        evaluated=sum(evaluations(settings, level) * seen[level] for level in levels),
        searched=_searches(settings) * seen[0] if seen else 0,
        clip_bytes=_CLIP_VOXEL * clip,
        sample_bytes=3 * _FLOAT * _place(settings, division, levels[-1]) * frames if seen else 0,
    )


def _fit_voxels(settings: Settings, division: Division, level: int, index: int) -> int:
    """Voxels of all windows of one interval's fit."""
    own, part = at_interval(settings, level, index), _part(division, level)
    side = own.crop_pixels or max(part.height, part.width)
    area = min(side, part.height) * min(side, part.width)
    window = area * min(own.window_frames, division.frames_read)
    return window * own.batch * own.steps_per_interval


def _seen(settings: Settings, division: Division, level: int) -> int:
    """Voxels that one evaluation of a level takes."""
    frames = frames_seen(division.frames_read, settings, level)
    return _place(settings, division, level) * frames


def _place(settings: Settings, division: Division, level: int) -> int:
    """Pixels of the place that is sampled at a level, of one frame."""
    part = _part(division, level)
    if settings.area is not Area.FRAME and division.layout is not None:
        region = division.layout.region
        hole = division.hole.moved(-region.box.x0, -region.box.y0)
        x, y = region.width / region.box.width, region.height / region.box.height
        hole = Box(int(hole.x0 * x), int(hole.y0 * y), int(hole.x1 * x) + 1, int(hole.y1 * y) + 1)
        for _ in range(len(division.intervals) - 1 - level):
            hole = hole.halved()
        part = hole.grown(settings.margin_pixels).intersection(part)
    return part.width * part.height


def _searches(settings: Settings) -> int:
    """Searches for patches of the coarsest size's sample, in evaluations."""
    spans = intervals(at_level(settings, 0).intervals, settings.spacing)
    votes = 0 if laid_out_by(spans) is None else settings.settling_rounds
    compared = 1 if settings.layouts > 1 else 0
    return settings.layouts * (votes + compared) * ROUND_WORK


def _part(division: Division, level: int) -> Box:
    if division.layout is None:
        raise ValueError("there is nothing to fill")
    return division.layout.parts[level]
