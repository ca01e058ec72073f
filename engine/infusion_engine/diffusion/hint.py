"""Hints: what a denoiser is told of a hole beside the noisy clip and what is known around it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from infusion_engine.diffusion.memory import CHANNELS


@dataclass(frozen=True, eq=False)
class Hint:
    """What the network adds to, and what other frames saw."""

    guess: Tensor
    """(B, 3, T, H, W), x_0 without the detail that is to be found."""
    memory: Tensor
    """(B, 4, 1, H, W) of `remembered`."""


def bare(guess: Tensor) -> Hint:
    """A hint that remembers nothing: `guess` is (B, 3, T, H, W)."""
    batch, _, _, height, width = guess.shape
    return Hint(guess=guess, memory=guess.new_zeros(batch, CHANNELS, 1, height, width))
