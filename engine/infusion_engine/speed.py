"""The speed of this device on this shot, from a few real steps at each level that are not kept."""

from __future__ import annotations

import math
import statistics
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

_SECONDS, _MOST_SECONDS = 0.75, 3.0
"""How long each kind of step is tried at each level: for the first, or, where steps are so long
that it has not seen a few, for the second. A step that takes longer is tried once."""
_FEW = 3
"""Steps of which one may have been held up by other work, and the rest still tell."""
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
    return watch.typical


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
    return watch.typical


class _Enough(Exception):  # noqa: N818 - an event, no error of anyone's
    """Enough steps were taken."""


class _Watch:
    """Seconds between steps; the first one is left out, because it also sets everything up.

    Unless that took more than `long` seconds: then it is all that is tried.
    """

    def __init__(self, infusion: Infusion, *, long: float = math.inf) -> None:
        self._report = infusion.report
        self._device = infusion.device
        self._long = long
        self._last = time.perf_counter()
        self._is_set_up = False
        self._seconds: list[float] = []

    @property
    def typical(self) -> float:
        """Seconds of a step, above 0: the median, which a moment of other work does not change."""
        if not self._seconds:
            raise AssertionError("a level has more than one step to try")
        return max(statistics.median(self._seconds), 1e-9)

    def done(self) -> None:
        """One more step is done.

        Raises:
            Cancelled: a stop was asked for.
        """
        self._report.check()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        if self._is_set_up or seconds > self._long:
            self._seconds.append(seconds)
        self._is_set_up = True
        spent = sum(self._seconds)
        if spent >= _MOST_SECONDS or (spent >= _SECONDS and len(self._seconds) >= _FEW):
            raise _Enough
