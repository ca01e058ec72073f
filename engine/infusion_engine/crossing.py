"""Crossing: a sample is carried through one interval, with all that is done to it at its end.

At the coarsest size, where layout is decided, several samples go down side by side, each with
noise of its own; at its end the one whose patches look most like the plate's is gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infusion_engine.chain import Stage
from infusion_engine.diffusion.denoise import Denoiser, precise
from infusion_engine.diffusion.likeness import unlikeness
from infusion_engine.diffusion.patches import Patches
from infusion_engine.diffusion.resample import resampled_interval
from infusion_engine.diffusion.sample import NoiseSource, Scene, noised
from infusion_engine.diffusion.settle import settled
from infusion_engine.settings import ROUND_WORK


@dataclass(frozen=True, eq=False)
class Crossing:
    """What a stage's sample is carried with."""

    stage: Stage
    """Where it goes, and what is done on the way."""
    scene: Scene
    """What its level's sampling knows."""
    denoiser: Denoiser
    """The stage's model."""
    noise: NoiseSource
    """The sample's noise at this level."""
    patches: Callable[[], Patches | None]
    """Those of the level's plate; None where it has too few to say what it looks like."""
    check: Callable[[], None]
    """Called now and then; raises to stop."""
    on_work: Callable[[int], None]
    """Called with the work done so far, in evaluations."""

    def sample(self, x: Tensor | None) -> tuple[Tensor, Tensor]:
        """Carry x through, or begin with noise where it is None.

        Args:
            x: (3, T, H, W); (layouts, 3, T, H, W) where the stage before left several.

        Returns:
            (x at the stage's end, last predicted x_0): x of either shape, x_0 of one sample.
        """
        stage = self.stage
        patches = self.patches() if stage.layouts > 1 or stage.rounds else None
        if stage.layouts == 1:
            x, x_0 = self._one(x, 0, patches)
        else:
            # Where nobody could compare them, only the first is drawn.
            count = 1 if patches is None else stage.layouts
            ends = [self._one(None if x is None else x[k], k, patches) for k in range(count)]
            if not stage.decides:
                return torch.stack([x for x, _ in ends]), ends[0][1]
            x, x_0 = self._likest(ends, patches)
        if stage.seam:
            self.scene.mend(x_0, pixels=stage.seam, check=self.check)
        return x, x_0

    def _one(self, x: Tensor | None, layout: int, patches: Patches | None) -> tuple[Tensor, Tensor]:
        """(x, x_0) of one layout at the stage's end, voted on where the stage has it so."""
        stage = self.stage
        noise = replace(self.noise, take=self.noise.take * stage.layouts + layout)
        done = layout * stage.work_of_one
        if x is None:
            x = noised(self.scene, noise, stage.timesteps[0], self.scene.hint.guess[0])
        with precise(stage.settings.precision, self.scene.x_0.device):
            x, x_0 = resampled_interval(
                self.denoiser,
                x,
                self.scene,
                timesteps=stage.timesteps,
                then=stage.then,
                repeats=stage.repeats,
                sampler=stage.settings.sampler,
                source=noise,
                on_step=lambda step: self.on_work(done + step),
            )
        if stage.rounds:
            evaluated = done + stage.evaluations
            x_0 = settled(
                x_0,
                self.scene.hole,
                patches,
                rounds=stage.rounds,
                check=self.check,
                on_round=lambda voted: self.on_work(evaluated + ROUND_WORK * voted),
            )
            x = noised(self.scene, noise, stage.then, x_0)
        return x, x_0

    def _likest(
        self, ends: Sequence[tuple[Tensor, Tensor]], patches: Patches | None
    ) -> tuple[Tensor, Tensor]:
        """The (x, x_0) that looks most like the plate; the first of those that look alike."""
        if patches is None:
            return ends[0]
        done = self.stage.layouts * self.stage.work_of_one
        distances = []
        for compared, (_, x_0) in enumerate(ends, start=1):
            distances.append(unlikeness(x_0, self.scene.hole, patches, check=self.check))
            self.on_work(done + ROUND_WORK * compared)
        return ends[distances.index(min(distances))]
