"""The budget: how many steps a render may take, so that it ends in the time it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infusion_engine.diffusion.interval import intervals, laid_out_by
from infusion_engine.settings import ROUND_WORK, FitsStart, Settings, at_interval, at_level

LEAST_STEPS = 0.25
"""Least share of the preset's optimiser steps: at a fifth of draft's, the demo's colours stray."""
MOST_STEPS = 10.0
"""Most of it: what more would bring is not known, and the render ends before its time."""
LEAST_SAMPLING = 0.5
"""Least share of the preset's denoiser evaluations: from here on optimiser steps alone are cut."""


@dataclass(frozen=True)
class LevelSpeed:
    """How fast one pyramid level goes on this device."""

    step_seconds: float
    """Seconds for one optimiser step of one batch."""
    evaluation_seconds: float
    """Seconds for one denoiser evaluation of a whole sample."""


@dataclass(frozen=True)
class Budget:
    """Settings that were made to fit, and what they come to."""

    settings: Settings
    """The preset's, with other numbers of steps."""
    expected_seconds: float
    """How long fitting and sampling should take with them."""


def allocated(
    settings: Settings, speeds: Sequence[LevelSpeed], *, seconds: float, takes: int
) -> Budget:
    """The settings that spend `seconds` on fitting and sampling, as far as sense allows.

    Optimiser steps of all levels get the same share of the preset's, from LEAST_STEPS to
    MOST_STEPS. Below 1 denoiser evaluations get that share as well, but no less than
    LEAST_SAMPLING: in a large hole they take most of the time, and half of them tell little, where
    a fit of a quarter of its steps has no fire in it. Numbers are rounded down, to keep within the
    time. The time is not kept where the least of everything takes longer, nor used up where the
    most of everything does not.

    Args:
        settings: of the preset; its numbers of steps are what is scaled.
        speeds: of each level, coarsest first; every number above 0.
        seconds: to be spent; may be 0 or less, where nothing is left.
        takes: samples to draw from the fits.
    """
    seconds -= _searching_seconds(settings, speeds) * takes
    fitting = _fitting_seconds(settings, speeds)
    sampling = _sampling_seconds(settings, speeds) * takes
    share = min(max(seconds / (fitting + sampling), LEAST_SAMPLING), 1.0)
    steps = min(max((seconds - share * sampling) / fitting, LEAST_STEPS), MOST_STEPS)
    found = replace(
        settings,
        steps_per_interval=_share(settings.steps_per_interval, steps),
        detail_steps_per_interval=_share(settings.detail_steps_per_interval, steps),
        sampling_steps=_share(settings.sampling_steps, share),
        detail_sampling_steps=_share(settings.detail_sampling_steps, share),
    )
    expected = _fitting_seconds(found, speeds) + take_seconds(found, speeds) * takes
    return Budget(found, expected)


def take_seconds(settings: Settings, speeds: Sequence[LevelSpeed]) -> float:
    """Seconds that one more sample of the same fits takes, at such speeds of the levels."""
    return _sampling_seconds(settings, speeds) + _searching_seconds(settings, speeds)


def batches(settings: Settings, level: int) -> int:
    """Batches that one step of each of a level's fits takes together; a base is the coarsest's."""
    count = at_level(settings, level).intervals
    taken = [at_interval(settings, level, i).batch for i in range(count)]
    if level == 0 and settings.fits_start is FitsStart.BASE:
        taken.append(at_interval(settings, 0, 0).batch)
    return sum(taken) // settings.batch


def evaluations(settings: Settings, level: int) -> int:
    """Denoiser evaluations that a sample takes at a level, as far as there are timesteps."""
    own = at_level(settings, level)
    if level > 0:
        return own.sampling_steps * own.intervals
    again = settings.resamplings if _is_laid_out(settings) else 0
    return settings.layouts * own.sampling_steps * (own.intervals + again)


def _is_laid_out(settings: Settings) -> bool:
    """Whether the coarsest level has an interval after its layout."""
    return laid_out_by(intervals(settings.intervals, settings.spacing)) is not None


def _share(number: int, share: float) -> int:
    return max(1, int(number * share))


def _fitting_seconds(settings: Settings, speeds: Sequence[LevelSpeed]) -> float:
    """Seconds for the fits of all intervals of all levels."""
    own = [at_level(settings, level) for level in range(len(speeds))]
    # A step of several batches is taken to be as long as one step for each.
    return sum(
        batches(settings, level) * one.steps_per_interval * speed.step_seconds
        for level, (one, speed) in enumerate(zip(own, speeds, strict=True))
    )


def _sampling_seconds(settings: Settings, speeds: Sequence[LevelSpeed]) -> float:
    """Seconds for one sample through all intervals of all levels."""
    return sum(
        evaluations(settings, level) * speed.evaluation_seconds
        for level, speed in enumerate(speeds)
    )


def _searching_seconds(settings: Settings, speeds: Sequence[LevelSpeed]) -> float:
    """Seconds for the searches for patches in which one sample's layout is decided."""
    votes = settings.settling_rounds if _is_laid_out(settings) else 0
    compared = 1 if settings.layouts > 1 else 0
    return settings.layouts * (votes + compared) * ROUND_WORK * speeds[0].evaluation_seconds
