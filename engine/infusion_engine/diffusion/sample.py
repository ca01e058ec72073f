"""Carrying a sample through one interval, from its noisiest timestep to the next interval's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from infusion_engine.diffusion import noise
from infusion_engine.diffusion.denoise import Denoiser
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.palette import HELD_BELOW, Palette
from infusion_engine.diffusion.schedule import (
    Posterior,
    alpha_bar,
    implicit,
    log_snr,
    posterior,
    sigma,
)
from infusion_engine.diffusion.seam import mended
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.diffusion.stillness import Stillness
from infusion_engine.settings import Sampler


@dataclass(frozen=True)
class Scene:
    """What sampling knows of the clip; all tensors on one device."""

    x_0: Tensor
    """(3, T, H, W), encoded plate, 0 where it is not known."""
    hole: Tensor
    """(1, T, H, W), 1 = missing."""
    lowest: tuple[float, ...]
    """Smallest encoded value of each channel that is known; predicted x_0 is clipped here."""
    highest: tuple[float, ...]
    """Largest encoded value of each channel that is known; predicted x_0 is clipped here."""
    hint: Hint
    """What the denoiser adds to, and what else it is told, of a batch of one."""
    corner: tuple[int, int] = (0, 0)
    """(row, column) of the first pixel in the clip that this is a part of; noise goes by it."""
    palette: Palette | None = None
    """Which colours the plate has; None to go by the range of each channel alone."""
    stillness: Stillness | None = None
    """What other frames saw where the plate stands still; None to let predictions be."""
    shelf: Shelf = field(default_factory=Shelf)
    """Where what is made of the clip lies."""

    def clipped(self, x_0: Tensor, t: int) -> Tensor:
        """(3, T, H, W) predicted at timestep t, within what the plate has.

        A colour that the plate has nowhere is no fill, however dark or bright it is; where what
        other frames saw stands still, they know better than the plate's other places.
        """
        if self.palette is not None and sigma(t) < HELD_BELOW:
            held = self.palette.held(x_0)
            x_0 = held if self.stillness is None else torch.lerp(held, x_0, self.stillness.known)
        if self.stillness is not None:
            x_0 = self.stillness.held(x_0)
        return self._ranged(x_0)

    def _ranged(self, x_0: Tensor) -> Tensor:
        """(3, T, H, W) within each channel's known range."""
        lowest, highest = (
            x_0.new_tensor(bound)[:, None, None, None] for bound in (self.lowest, self.highest)
        )
        return x_0.clamp(lowest, highest)

    def mend(self, x_0: Tensor, *, pixels: int, check: Callable[[], None]) -> None:
        """Take the seam out of a finished fill, (3, T, H, W), in place, within what the plate has.

        What surely stands still is known to the last digit, and has no seam. Nothing but the seam
        is touched: what the plate has is asked of the change alone, as a fill that was held once
        would be held twice. `check` is called at each frame; it raises to stop.
        """
        for frames in self.shelf.pieces(x_0):
            fill, hole = x_0[:, frames], self.hole[:, frames]
            found = mended(fill, hole, pixels=pixels, check=check)
            if self.stillness is not None:
                found = torch.lerp(found, fill, self.stillness.weight)
            held = self._ranged(fill + self.clipped(found, 0) - self.clipped(fill, 0))
            x_0[:, frames] = torch.where(found == fill, fill, held)


@dataclass(frozen=True)
class NoiseSource:
    """The noise of one sample, addressed by timestep and position."""

    seed: int
    """The job's seed."""
    take: int
    """0 for the first take."""
    level: int = 0
    """Resolution level, 0 for the coarsest."""
    turn: int = 0
    """0 for the first time that an interval is gone through."""

    def at(
        self, t: int, like: Tensor, corner: tuple[int, int] = (0, 0), *, first: int = 0
    ) -> Tensor:
        """The noise that is added on the way to timestep t; (C, T, H, W) like `like`.

        `corner` is the (row, column) of its first pixel in the whole clip, `first` its first frame.
        """
        channels, frames, rows, columns = like.shape
        top, left = corner
        turn = (self.turn,) if self.turn else ()  # the first needs no name: most have no other
        return noise.gaussian(
            noise.key("sample", self.seed, self.take, self.level, t, *turn),
            frames=range(first, first + frames),
            rows=range(top, top + rows),
            columns=range(left, left + columns),
            channels=channels,
            device=like.device,
        )


def noised(scene: Scene, source: NoiseSource, t: int, fill: Tensor) -> Tensor:
    """A fill with the scene's known pixels put in, as it looks at timestep t; all (3, T, H, W)."""
    a, x_t = alpha_bar(t), scene.shelf.zeros(*fill.shape, device=fill.device)
    for frames in scene.shelf.pieces(fill):
        known = scene.x_0[:, frames]
        clean = torch.where(scene.hole[:, frames].bool(), fill[:, frames], known)
        noise = source.at(t, known, scene.corner, first=frames.start)
        x_t[:, frames] = math.sqrt(a) * clean + math.sqrt(1.0 - a) * noise
    return x_t


@torch.no_grad()
def sample_interval(
    denoiser: Denoiser,
    x_t: Tensor,
    scene: Scene,
    *,
    timesteps: tuple[int, ...],
    then: int,
    sampler: Sampler,
    source: NoiseSource,
    on_step: Callable[[int], None],
) -> tuple[Tensor, Tensor]:
    """Carry x_t through `timesteps` (falling) and on to timestep `then` (-1: no noise left).

    Each step predicts x_0, holds it to what the plate has, puts the known pixels back
    (reprojection), and moves to the next noise level.

    Args:
        denoiser: the interval's model.
        x_t: (3, T, H, W) at timesteps[0].
        scene: the clip, its hole and its range.
        timesteps: where the denoiser is evaluated.
        then: the next interval's first timestep.
        sampler: ancestral (DDPM), deterministic (DDIM) or multistep steps.
        source: the sample's noise.
        on_step: called with the number of steps done.

    Returns:
        (x at `then`, last predicted and reprojected x_0), each (3, T, H, W).
    """
    x_t = scene.shelf.copied(x_t)  # moved in place: a large clip is held as few times as can be
    x_0 = x_t
    before: tuple[int, Tensor] | None = None  # the last timestep and its x_0
    for done, (t, s) in enumerate(zip(timesteps, (*timesteps[1:], then), strict=True), start=1):
        when = torch.tensor([t], device=x_t.device)
        x_0 = denoiser(x_t[None], scene.x_0[None], scene.hole[None], scene.hint, when)[0].float()
        move = _Move.between(t, s, sampler, before=None if before is None else before[0])
        for frames in scene.shelf.pieces(x_t):
            known = scene.x_0[:, frames]
            x_0[:, frames] = torch.where(
                scene.hole[:, frames] > 0.0, scene.clipped(x_0[:, frames], t), known
            )
            last = x_0[:, frames] if before is None else before[1][:, frames]
            noise = partial(source.at, s, known, scene.corner, first=frames.start)
            x_t[:, frames] = move.moved(x_t[:, frames], x_0[:, frames], last, noise)
        before = (t, x_0)
        on_step(done)
    return x_t, x_0


@dataclass(frozen=True)
class _Move:
    """One step's way from a noise level to the next."""

    step: Posterior
    """Weights and deviation."""
    lean: float
    """How far predicted x_0 is carried on along its last change; 0 for not at all."""

    @staticmethod
    def between(t: int, s: int, sampler: Sampler, *, before: int | None) -> _Move:
        """From timestep t to s (-1: no noise left); `before` is the one before t, if there is."""
        step = implicit(t, s) if sampler is Sampler.DETERMINISTIC else posterior(t, s)
        lean = 0.0
        if sampler is Sampler.MULTISTEP and before is not None and s >= 0:
            lean = _lean(before, t, s)
        return _Move(step, lean)

    def moved(self, x_t: Tensor, x_0: Tensor, last: Tensor, noise: Callable[[], Tensor]) -> Tensor:
        """The sample at the next noise level; `last` is the x_0 before, all (3, T, H, W)."""
        ahead = x_0 + self.lean * (x_0 - last) if self.lean else x_0
        x_s = self.step.x_0_weight * ahead + self.step.x_t_weight * x_t
        return x_s + self.step.deviation * noise() if self.step.deviation > 0.0 else x_s


def _lean(before: int, t: int, s: int) -> float:
    """How far predicted x_0 is carried on along its last change, for a step from t to s.

    Half of the ratio of strides of log-SNR (DPM-Solver++(2M), Lu et al., arXiv 2211.01095,
    algorithm 2, and its SDE form): x_0 as it will be in the middle of the step.
    """
    return 0.5 * (log_snr(s) - log_snr(t)) / (log_snr(t) - log_snr(before))
