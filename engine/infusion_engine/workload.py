"""The workload of a run: how much of fitting and sampling is done, as progress of one phase."""

from __future__ import annotations

from collections.abc import Sequence

from infusion_engine.chain import Stage
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.windows import frames_seen
from infusion_engine.progress import Report

_BACKWARD_COST = 3  # a training step costs about three forward passes over the same voxels


class Workload:
    """What one take's run has done of all takes' work, in voxels seen by the network."""

    def __init__(
        self,
        sizes: Sequence[PyramidLevel],
        places: Sequence[tuple[slice, slice]],
        chain: Sequence[Stage],
        report: Report,
        *,
        take: int = 1,
        takes: int = 1,
    ) -> None:
        """The work of take `take` (from 1) of `takes`; the first fits, the others only sample.

        Args:
            sizes: the pyramid's levels.
            places: (rows, columns) that are sampled, by level.
            chain: every stage of the run.
            report: hears of what is done.
            take: which take does the work.
            takes: how many there are in all.
        """
        self.report = report
        self.figures = {"take": take, "takes": takes} if takes > 1 else {}
        self.fit_step: list[int] = []
        self.fit_steps = [stage.settings.steps_per_interval for stage in chain]
        self.sample_step: list[int] = []
        for stage in chain:
            own, frames = stage.settings, sizes[stage.level].hole.shape[1]
            height, width = sizes[stage.level].size
            rows, columns = places[stage.level]
            side = own.crop_pixels or max(height, width)
            window = min(own.window_frames, frames) * min(side, height) * min(side, width)
            self.fit_step.append(_BACKWARD_COST * window * own.batch)
            across, down = columns.stop - columns.start, rows.stop - rows.start
            seen = frames_seen(frames, own, stage.level)
            self.sample_step.append(seen * across * down)
        sampling = [stage.work * step for stage, step in zip(chain, self.sample_step, strict=True)]
        fitting = [steps * step for steps, step in zip(self.fit_steps, self.fit_step, strict=True)]
        self.total = sum(fitting) + takes * sum(sampling)
        at = 0
        if take > 1:  # the fits are there, and the takes before this one are sampled
            at = sum(fitting) + (take - 1) * sum(sampling)
            self.fit_step = [0] * len(chain)
            fitting = [0] * len(chain)
        self.starts: list[int] = []
        for fit, sample in zip(fitting, sampling, strict=True):
            self.starts.append(at)
            at += fit + sample

    def only_fit(self, index: int) -> None:
        """Nothing is to be done but the fit of stage `index`."""
        self.starts[index] = 0
        self.total = self.fit_step[index] * self.fit_steps[index]

    def only_sample(self, chain: Sequence[Stage]) -> None:
        """Nothing is to be done but one take's sample: every fit is there."""
        self.fit_step = [0] * len(chain)
        work = [stage.work * step for stage, step in zip(chain, self.sample_step, strict=True)]
        self.starts = [sum(work[:index]) for index in range(len(chain))]
        self.total = sum(work)

    def fitted(self, index: int, step: int, loss: float) -> None:
        """`step` optimiser steps of stage `index` are done."""
        self._tell(index, self.fit_step[index] * step, loss=loss)

    def sampled(self, index: int, done: int) -> None:
        """`done` of the sampling work of stage `index` is done, in denoiser evaluations."""
        fitted = self.fit_step[index] * self.fit_steps[index]
        self._tell(index, fitted + self.sample_step[index] * done)

    def _tell(self, index: int, within: int, **figures: float) -> None:
        self.report.progress(
            "inpainting",
            self.starts[index] + within,
            self.total,
            interval=index,
            intervals=len(self.starts),
            **self.figures,
            **figures,
        )
