"""Pace: seconds that a step and an evaluation take on a trial, to share out a budget by."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from benchmarks.trial import HOLE, SIDE
from benchmarks.waves import settle
from infusion_engine.diffusion.denoise import build, initialise, precise
from infusion_engine.diffusion.interval import intervals
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.settings import Settings
from infusion_engine.training.fit import fit_interval
from infusion_engine.training.ground import lay_ground
from infusion_engine.training.window import draw_window

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
    """One denoiser evaluation of all frames."""


def paced(settings: Settings, frames: int, *, device: torch.device = _CPU) -> Pace:
    """Time a few real steps of `settings` on a trial's sizes, single level."""
    torch.manual_seed(0)
    hole = torch.zeros(1, frames, SIDE, SIDE)
    hole[..., HOLE : 2 * HOLE, HOLE : 2 * HOLE] = 1.0
    x_0 = torch.rand(3, frames, SIDE, SIDE) * (1.0 - hole)
    level = PyramidLevel(x_0=x_0.to(device), hole=hole.to(device))
    ground = lay_ground(level, 0, settings)
    model = build(settings.network, channels=settings.channels).to(device)
    initialise(model, 0)
    interval = intervals(settings.intervals, settings.spacing)[0]
    moments: list[float] = []

    def heard(_step: int, _loss: float) -> None:
        settle(device)
        moments.append(time.perf_counter())

    fit_interval(
        model,
        ground,
        settings=replace(settings, steps_per_interval=_STEPS + 1),
        interval=interval,
        fit_seed=0,
        carried={},
        on_step=heard,
    )
    whole = replace(settings, window_frames=frames, crop_pixels=0, batch=1)
    window = draw_window(ground, settings=whole, interval=interval, fit_seed=0, step=0)
    evaluation = 0.0
    for _ in range(2):  # the first also chooses kernels and takes memory
        settle(device)
        began = time.perf_counter()
        with torch.no_grad(), precise(settings.precision, device):
            model(window.x_t, window.conditioning, window.hole, window.hint, window.t)
        settle(device)
        evaluation = time.perf_counter() - began
    return Pace((moments[-1] - moments[0]) / _STEPS, evaluation)


def within(settings: Settings, pace: Pace, seconds: float) -> Mapping[str, str]:
    """The numbers of steps and evaluations with which a render of one level takes `seconds`.

    Evaluations get a fifth of the time or what the preset asks for, whichever is less, and steps
    the rest: the published ones would leave a short budget no steps at all.
    """
    left = max(seconds - _AROUND, 0.0)
    count = settings.intervals
    evaluations = min(
        settings.sampling_steps, int(left * _SAMPLED / count / pace.evaluation_seconds)
    )
    evaluations = max(1, evaluations)
    fitting = left - count * evaluations * pace.evaluation_seconds
    steps = max(1, int(fitting / count / pace.step_seconds))
    return {"steps_per_interval": str(steps), "sampling_steps": str(evaluations)}


def expected(settings: Settings, pace: Pace) -> float:
    """Seconds that a render of one level takes with these settings."""
    step, evaluation = pace.step_seconds, pace.evaluation_seconds
    interval = settings.steps_per_interval * step + settings.sampling_steps * evaluation
    return _AROUND + settings.intervals * interval
