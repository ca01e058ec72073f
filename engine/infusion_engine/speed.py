"""The speed of this device on this shot, from a few real steps at each level that are not kept."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace

import torch

from infusion_engine.budget import LevelSpeed
from infusion_engine.chain import FIT_SEED, Stage
from infusion_engine.diffusion.denoise import initialise, precise
from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.sample import NoiseSource, Scene, sample_interval
from infusion_engine.infuse import Infusion
from infusion_engine.training.fit import fit_interval

_SECONDS = 0.75
"""How long each kind of step is tried at each level; a step that takes longer is tried once."""
_LONG = 10.0
"""Seconds after which the first evaluation is not repeated: of so long a one setting up is little,
and of a large hole each takes minutes."""
_MOST = 1000
"""Steps after which enough is known in any case."""


def measured(infusion: Infusion) -> tuple[LevelSpeed, ...]:
    """Seconds per optimiser step and per denoiser evaluation of every level, coarsest first.

    The run serves for nothing else afterwards: its model was used up.

    Args:
        infusion: a run of the shot with the preset's settings, which has not begun.

    Raises:
        Cancelled: a stop was asked for meanwhile.
    """
    initialise(infusion.model, FIT_SEED)
    found = []
    for level in range(len(infusion.levels)):
        infusion.report.progress("measuring", level, len(infusion.levels))
        stage = next(stage for stage in infusion.stages if stage.level == level)
        step = _step_seconds(infusion, stage)
        found.append(LevelSpeed(step, _evaluation_seconds(infusion, stage)))
    infusion.report.progress("measuring", len(found), len(found))
    return tuple(found)


def _step_seconds(infusion: Infusion, stage: Stage) -> float:
    """Seconds of one optimiser step of a stage, of one batch."""
    watch = _Watch(infusion)
    one_batch = replace(stage.settings, batch=infusion.settings.batch)
    with suppress(_Enough):
        fit_interval(
            infusion.model,
            infusion.ground(stage.level),
            settings=replace(one_batch, steps_per_interval=_MOST),
            interval=stage.interval,
            fit_seed=FIT_SEED,
            carried={},
            on_step=lambda _step, _loss: watch.done(),
        )
    infusion.model.eval()
    return watch.mean


def _evaluation_seconds(infusion: Infusion, stage: Stage) -> float:
    """Seconds of one denoiser evaluation of a stage, at the size that is sampled."""
    level, (rows, columns) = infusion.levels[stage.level], infusion.places[stage.level]
    x_0 = level.x_0[:, :, rows, columns]
    scene = Scene(
        x_0=x_0,
        hole=level.hole[:, :, rows, columns],
        lowest=infusion.range[0],
        highest=infusion.range[1],
        hint=bare(x_0[None]),  # of the right size, which is all that time depends on
        shelf=level.shelf,
    )
    watch = _Watch(infusion, long=_LONG)
    with suppress(_Enough), precise(infusion.settings.precision, x_0.device):
        sample_interval(
            infusion.denoiser(stage.level),
            x_0,
            scene,
            timesteps=tuple(range(stage.interval.high - 1, 0, -1)),
            then=-1,
            sampler=infusion.settings.sampler,
            source=NoiseSource(seed=0, take=0, level=stage.level),
            on_step=lambda _step: watch.done(),
        )
    return watch.mean


class _Enough(Exception):  # noqa: N818 - an event, no error of anyone's
    """Enough steps were taken."""


class _Watch:
    """Seconds between steps; the first one is left out, because it also sets everything up.

    Unless that took more than `long` seconds: then it is all that is tried.
    """

    def __init__(self, infusion: Infusion, *, long: float = math.inf) -> None:
        self._long = long
        self._began = time.perf_counter()
        self._report = infusion.report
        self._device = infusion.device
        self._first: float | None = None
        self._last = 0.0
        self._steps = 0

    @property
    def mean(self) -> float:
        """Seconds of a step, above 0."""
        if self._first is None or not self._steps:
            raise AssertionError("a level has more than one step to try")
        return max(self._last - self._first, 1e-9) / self._steps

    def done(self) -> None:
        """One more step is done.

        Raises:
            Cancelled: a stop was asked for.
        """
        self._report.check()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._last = time.perf_counter()
        if self._first is None:
            self._first = self._last
            if self._last - self._began < self._long:
                return
            self._first = self._began
        self._steps += 1
        if self._last - self._first >= _SECONDS:
            raise _Enough
