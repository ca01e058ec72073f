"""Hints: what a denoiser is told of a hole beside the noisy clip and what is known around it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from infusion_engine.diffusion.guess import smooth_guess, smooth_guess_of, weighed
from infusion_engine.diffusion.memory import Memory, remembered_of
from infusion_engine.diffusion.shelf import Shelf


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

    def copied(self, shelf: Shelf) -> Hint:
        """The same on a shelf, holding nothing of a larger clip that it is a part of."""
        return Hint(**{f.name: shelf.copied(getattr(self, f.name)) for f in fields(self)})


def bare(guess: Tensor) -> Hint:
    """A hint that remembers nothing: `guess` is (B, 3, T, H, W)."""
    nothing = guess.new_zeros(1, 1, 1, 1, 1).expand_as(guess[:, :1])  # takes no room
    return Hint(guess=guess, memory=guess, weight=nothing[:, :, :1], energy=nothing)


def sampling_hint(
    x_0: Tensor, coarse: Tensor | None, hole: Tensor, *, variance: float, shelf: Shelf | None = None
) -> Hint:
    """The hint of a whole level, as sampling is told it.

    Args:
        x_0: (3, T, H, W) encoded clip; not looked at where it is missing.
        coarse: (3, T, H, W), the filled clip without this level's detail; None at the coarsest.
        hole: (1, T, H, W), 1 = missing.
        variance: of what memory is kept of, over the shot.
        shelf: where all of it lies, and what is made of it; None for memory.

    Returns:
        A batch of one.
    """
    shelf = shelf or Shelf()

    def rows_of(rows: slice) -> Tensor:
        """What memory is kept of."""
        own = x_0[:, :, rows]
        return own if coarse is None else own - coarse[:, :, rows]

    memory = remembered_of(rows_of, hole, variance=variance, shelf=shelf)

    def squares_of(frames: slice) -> tuple[Tensor, Tensor]:
        """Squared deviation from memory, as it is known."""
        own = x_0[None, :, frames]
        detail = own if coarse is None else own - coarse[None, :, frames]
        found = _squares(detail - memory.mean, hole[None, :, frames], memory)
        return weighed(*found, memory.variance, memory.known)

    def known_of(frames: slice) -> tuple[Tensor, Tensor]:
        """The clip itself, as it is known."""
        own, missing = x_0[None, :, frames], hole[None, :, frames]
        return weighed(own, missing, memory.mean, memory.still)

    size, device = (1, *x_0.shape), x_0.device
    energy = smooth_guess_of(squares_of, (1, *hole.shape), device, shelf)
    for frames in shelf.pieces(energy):
        energy[:, :, frames] = energy[:, :, frames].clamp(min=0.0)
    if coarse is None:
        guess, mean = smooth_guess_of(known_of, size, device, shelf), memory.mean
    else:
        guess, mean = (shelf.zeros(*size, device=device) for _ in range(2))
        for frames in shelf.pieces(guess):
            guess[:, :, frames], mean[:, :, frames] = _recalled(coarse[None, :, frames], memory)
    return Hint(guess=guess, memory=mean, weight=memory.weight, energy=energy)


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
    guess, mean = _recalled(coarse, memory)
    return Hint(
        guess=guess,
        memory=mean,
        weight=memory.weight,
        energy=_energy(x - coarse - memory.mean, missing, memory),
    )


def _recalled(coarse: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
    """(guess, what the pixel looks like on average) of a finer level, each like `coarse`."""
    return coarse + memory.weight * memory.mean, coarse + memory.mean


def _energy(deviation: Tensor, missing: Tensor, memory: Memory) -> Tensor:
    """Squared deviation from memory, (B, 1, T, H, W), carried into the hole."""
    squares, unknown = _squares(deviation, missing, memory)
    return smooth_guess(squares, unknown, memory.variance, memory.known).clamp(min=0.0)


def _squares(deviation: Tensor, missing: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
    """(squared deviation from memory, 1 where it is not known), each (B, 1, T, H, W)."""
    squares = deviation.square().mean(1, keepdim=True)
    # Where one frame alone sees a pixel its mean is that frame: nothing is learnt from it.
    unknown = torch.maximum(missing, (memory.known == 0.0).to(missing).expand_as(missing))
    return squares, unknown
