"""Pace: seconds that a step and an evaluation take on a trial, to share out a budget by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from benchmarks.trial import SIDE
from benchmarks.workbench import Workbench
from infusion_engine.budget import batches, evaluations
from infusion_engine.diffusion.windows import frames_seen
from infusion_engine.settings import Settings

_CPU = torch.device("cpu")
_STEPS = 3  # after one that sets everything up
_AROUND = 8.0  # seconds that a render takes beside fitting and sampling
_SAMPLED = 0.2  # share of the time for sampling, as far as the preset's own number is not enough


@dataclass(frozen=True)
class Pace:
    """How fast one preset goes on a trial."""

    step_seconds: float
    """One optimiser step."""
    evaluation_seconds: float
    """One denoiser evaluation of all frames, in windows where there are windows."""


def paced(settings: Settings, frames: int, *, device: torch.device = _CPU) -> Pace:
    """Time a few real steps of `settings` on a trial's sizes, single level."""
    bench = Workbench(settings, (frames, SIDE, SIDE), device)
    # The bench shows the clip as a whole.
    often = frames_seen(frames, settings, 0) / frames
    return Pace(bench.step_seconds(_STEPS), bench.evaluation_seconds(1) * often)


def within(settings: Settings, pace: Pace, seconds: float) -> Mapping[str, str]:
    """The numbers of steps and evaluations with which a render of one level takes `seconds`.

    Evaluations get a fifth of the time or what the preset asks for, whichever is less, and steps
    the rest: the published ones would leave a short budget no steps at all.
    """
    left = max(seconds - _AROUND, 0.0)
    count = evaluations(settings, 0) // settings.sampling_steps
    number = min(settings.sampling_steps, int(left * _SAMPLED / count / pace.evaluation_seconds))
    number = max(1, number)
    fitting = left - count * number * pace.evaluation_seconds
    steps = max(1, int(fitting / batches(settings, 0) / pace.step_seconds))
    return {"steps_per_interval": str(steps), "sampling_steps": str(number)}


def expected(settings: Settings, pace: Pace) -> float:
    """Seconds that a render of one level takes with these settings."""
    fitting = batches(settings, 0) * settings.steps_per_interval * pace.step_seconds
    sampling = evaluations(settings, 0) * pace.evaluation_seconds
    return _AROUND + fitting + sampling
