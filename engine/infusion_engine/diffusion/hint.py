"""Hints: what a denoiser is told of a hole beside the noisy clip and what is known around it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from infusion_engine.diffusion.guess import smooth_guess
from infusion_engine.diffusion.memory import Memory, remembered


@dataclass(frozen=True, eq=False)
class Hint:
    """What the network adds to, what other frames saw, and how much is to be expected."""

    guess: Tensor
    """(B, 3, T, H, W), x_0 without what is to be found."""
    memory: Tensor
    """(B, 3, T or 1, H, W), what the pixel looks like when it is seen, on average."""
    weight: Tensor
    """(B, 1, 1, H, W) in [0, 1], how far memory can be relied on."""
    energy: Tensor
    """(B, 1, T, H, W), squared deviation from memory that the surroundings and the other frames
    lead one to expect."""

    def within(self, frames: slice, rows: slice, columns: slice) -> Hint:
        """The same of a part of the clip."""

        def cut(x: Tensor) -> Tensor:
            at = frames if x.shape[2] > 1 else slice(None)  # one for all frames
            return x[:, :, at, rows, columns]

        return Hint(**{f.name: cut(getattr(self, f.name)) for f in fields(self)})

    def copied(self) -> Hint:
        """The same, holding nothing of a larger clip that it is a part of."""
        return Hint(**{f.name: getattr(self, f.name).clone() for f in fields(self)})


def bare(guess: Tensor) -> Hint:
    """A hint that remembers nothing: `guess` is (B, 3, T, H, W)."""
    nothing = torch.zeros_like(guess[:, :1])
    return Hint(guess=guess, memory=guess, weight=nothing[:, :, :1], energy=nothing)


def sampling_hint(x_0: Tensor, coarse: Tensor | None, hole: Tensor, *, variance: float) -> Hint:
    """The hint of a whole level, as sampling is told it.

    Args:
        x_0: (3, T, H, W) encoded clip; not looked at where it is missing.
        coarse: (3, T, H, W), the filled clip without this level's detail; None at the coarsest.
        hole: (1, T, H, W), 1 = missing.
        variance: of what memory is kept of, over the shot.

    Returns:
        A batch of one.
    """
    x, missing = x_0[None], hole[None]
    if coarse is None:
        return coarsest_hint(x, missing, remembered(x, 1.0 - missing, variance=variance))
    memory = remembered(x - coarse[None], 1.0 - missing, variance=variance)
    return detail_hint(x, coarse[None], missing, memory)


def coarsest_hint(x: Tensor, missing: Tensor, memory: Memory) -> Hint:
    """The hint of the coarsest level, whose guess is interpolated.

    Args:
        x: (B, 3, T, H, W) encoded clip; not looked at where it is missing.
        missing: (B, 1, T, H, W), 1 = missing.
        memory: of x, over all frames.
    """
    return Hint(
        guess=smooth_guess(x, missing, memory.mean, memory.still),
        memory=memory.mean,
        weight=memory.weight,
        energy=_energy(x - memory.mean, missing, memory),
    )


def detail_hint(x: Tensor, coarse: Tensor, missing: Tensor, memory: Memory) -> Hint:
    """The hint of a finer level, whose guess is the coarser clip and the detail remembered.

    Args:
        x: (B, 3, T, H, W) encoded clip; not looked at where it is missing.
        coarse: (B, 3, T, H, W), x without this level's detail, complete.
        missing: (B, 1, T, H, W), 1 = missing.
        memory: of x - coarse, over all frames.
    """
    return Hint(
        guess=coarse + memory.weight * memory.mean,
        memory=coarse + memory.mean,
        weight=memory.weight,
        energy=_energy(x - coarse - memory.mean, missing, memory),
    )


def _energy(deviation: Tensor, missing: Tensor, memory: Memory) -> Tensor:
    """Squared deviation from memory, (B, 1, T, H, W), carried into the hole."""
    squares = deviation.square().mean(1, keepdim=True)
    # Where one frame alone sees a pixel its mean is that frame: nothing is learnt from it.
    unknown = torch.maximum(missing, (memory.known == 0.0).to(missing).expand_as(missing))
    return smooth_guess(squares, unknown, memory.variance, memory.known).clamp(min=0.0)
