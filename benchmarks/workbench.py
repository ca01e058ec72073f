"""Workbench: real steps of a fit and real evaluations of a sample of one preset, and their time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.flops import counted
from benchmarks.waves import settle, waves
from infusion_engine.arithmetic import chosen
from infusion_engine.diffusion.denoise import Model, build, initialise, precise
from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.interval import Interval, intervals
from infusion_engine.diffusion.sample import NoiseSource, Scene, sample_interval
from infusion_engine.settings import Settings
from infusion_engine.training.fit import fit_interval, window_loss
from infusion_engine.training.ground import Ground, lay_ground
from infusion_engine.training.window import Window, draw_window

SEED = 0


def _unheard(_step: int) -> None:
    """Progress that nobody follows."""


class Workbench:
    """One preset's network and the clip it works on; every call works on from the last one's."""

    def __init__(
        self, settings: Settings, size: tuple[int, int, int], device: torch.device
    ) -> None:
        settings = chosen(settings, device)
        self.settings, self.device = settings, device
        self.ground: Ground = lay_ground(waves(size, device), 0, settings)
        self.model: Model = build(settings.network, channels=settings.channels).to(device)
        initialise(self.model, SEED)
        self.interval: Interval = intervals(settings.intervals, settings.spacing)[-1]

    @property
    def evaluated(self) -> int:
        """Voxels of one evaluation: all of the clip."""
        return self.ground.hole.numel()

    def window(self, step: int = 0) -> Window:
        """The windows of one step of a fit, from 0; a fit of so many steps has not seen them."""
        return draw_window(
            self.ground, settings=self.settings, interval=self.interval, fit_seed=SEED, step=step
        )

    def fit(self, steps: int, on_step: Callable[[int], None] = _unheard) -> None:
        """So many optimiser steps as a render takes them; `on_step` hears how many are done."""

        def heard(step: int, _loss: float) -> None:
            settle(self.device)
            on_step(step)

        fit_interval(
            self.model,
            self.ground,
            settings=replace(self.settings, steps_per_interval=steps),
            interval=self.interval,
            fit_seed=SEED,
            carried={},
            on_step=heard,
        )

    def step_seconds(self, steps: int) -> float:
        """Seconds of an optimiser step, mean of `steps` after one that sets everything up."""
        moments: list[float] = []
        self.fit(steps + 1, lambda _step: moments.append(time.perf_counter()))
        return (moments[-1] - moments[0]) / steps

    def evaluation_seconds(self, evaluations: int) -> float:
        """Seconds of a denoiser evaluation of the whole clip, after one to set everything up."""
        moments: list[float] = []

        def heard(_step: int) -> None:
            settle(self.device)
            moments.append(time.perf_counter())

        clip, hole = self.ground.x_0, self.ground.hole
        scene = Scene(
            x_0=clip, hole=hole, lowest=(-1.0,) * 3, highest=(1.0,) * 3, hint=self._hint()
        )
        high = self.interval.high
        self.model.eval()
        with precise(self.settings.precision, self.device):
            sample_interval(
                self.model,
                clip,
                scene,
                timesteps=tuple(range(high - 1, high - 2 - evaluations, -1)),
                then=0,
                sampler=self.settings.sampler,
                source=NoiseSource(seed=SEED, take=0),
                on_step=heard,
            )
        return (moments[-1] - moments[0]) / evaluations

    def network_seconds(self, passes: int) -> float:
        """Seconds of the network forward and backward on windows drawn beforehand."""
        window = self.window()
        self._forward_and_backward(window)
        settle(self.device)
        began = time.perf_counter()
        for _ in range(passes):
            self._forward_and_backward(window)
        settle(self.device)
        return (time.perf_counter() - began) / passes

    def step_flops(self) -> int:
        """Floating point operations of the network in one step, forward and backward."""
        window = self.window()
        return counted(lambda: self._forward_and_backward(window))

    @torch.no_grad()
    def evaluation_flops(self) -> int:
        """Floating point operations of one evaluation of the whole clip."""
        clip, hole = self.ground.x_0[None], self.ground.hole[None]
        when = torch.tensor([self.interval.high - 1], device=self.device)
        with precise(self.settings.precision, self.device):
            return counted(lambda: self.model(clip, clip, hole, self._hint(), when))

    def _forward_and_backward(self, window: Window) -> None:
        self.model.zero_grad(set_to_none=True)
        torch.autograd.backward(window_loss(self.model, window, self.settings))

    def _hint(self) -> Hint:
        """Of the right size, which is all that time depends on."""
        return bare(self.ground.x_0[None])
