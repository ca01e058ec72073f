"""Stillness: what other frames saw of a place that stands still holds its fill.

A fit of minutes is a few percent off even where nothing ever changes. But how such a place looks
and how far it strays from that is known to the last digit, and a fill that keeps to it cannot
drift, nor shimmer by more than the plate does. Of what moves other frames say little, and their
hold fades.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infusion_engine.diffusion.memory import remembered_of
from infusion_engine.diffusion.pyramid import PyramidLevel

_SHARE = 0.01
"""Variance over time, as a part of the plate's, at which a place is half believed to stand still:
that of grain is far less, and that of the faintest smoke is more."""
_LEAST_FRAMES = 4.0
"""Fewer say nothing of how still a place is: whatever one frame sees has no variance at all."""
_DEVIATIONS = 3.0
"""How far a still place may stray from its mean, in its own deviations over time: grain does."""


@dataclass(frozen=True, eq=False)
class Stillness:
    """Each pixel of a level over the frames that see it, by its whole colour, in the level's unit.

    Of a finer level's detail alone little more than grain would be told.
    """

    mean: Tensor
    """(3, 1, H, W), what it looks like."""
    deviation: Tensor
    """(3, 1, H, W), from that over time, of each channel."""
    known: Tensor
    """(1, 1, H, W) in [0, 1], how far that says more of the place than the rest of the plate."""
    weight: Tensor
    """(1, 1, H, W) in [0, 1], how sure it is that nothing ever changes there."""

    def within(self, rows: slice, columns: slice) -> Stillness:
        """The same of a part of the level, holding nothing of the rest."""
        return replace(
            self,
            mean=self.mean[..., rows, columns].clone(),
            deviation=self.deviation[..., rows, columns].clone(),
            known=self.known[..., rows, columns].clone(),
            weight=self.weight[..., rows, columns].clone(),
        )

    def held(self, x_0: Tensor) -> Tensor:
        """(3, T, H, W): within what the place strays by, as far as it surely stands still."""
        stray = _DEVIATIONS * self.deviation
        return torch.lerp(x_0, x_0.clamp(self.mean - stray, self.mean + stray), self.weight)


def stillness_of(level: PyramidLevel, unit: float, *, frames: int) -> Stillness:
    """The stillness of a level whose values are worked in parts of `unit`.

    Args:
        level: its clip is not looked at where it is missing.
        unit: above 0.
        frames: so many have to see a place before it is wholly believed to stand still (fire
            leaves the dark alone for some); 0 to believe it of none.
    """
    variance = _variance(level)
    found = remembered_of(
        lambda rows: level.x_0[:, :, rows], level.hole, variance=variance, shelf=level.shelf
    )
    seen = (found.count / max(frames, 1)).clamp(max=1.0).square()
    seen = torch.where((found.count >= _LEAST_FRAMES) & (frames > 0), seen, 0.0)
    return Stillness(
        mean=found.mean[0] / unit,
        deviation=found.variances[0].sqrt() / unit,
        known=found.still[0],
        # By the pixel alone: a wall stands still to its very edge, whatever is beside it.
        weight=(seen / (1.0 + (found.variance / (_SHARE * max(variance, 1e-12))).square()))[0],
    )


def _variance(level: PyramidLevel) -> float:
    """Of the known voxels, each channel about its mean; mean of the channels, 0 if none is known.

    Frame by frame: a large clip is not to be held in double precision.
    """
    count, sums, squares = 0, torch.zeros(3).double(), torch.zeros(3).double()
    for frame in range(level.x_0.shape[1]):
        seen = level.x_0[:, frame, level.hole[0, frame] == 0.0].double()  # (3, N)
        count += seen.shape[1]
        sums += seen.sum(1).cpu()
        squares += seen.square().sum(1).cpu()
        level.shelf.rest()
    if not count:
        return 0.0
    return max(float((squares / count - (sums / count).square()).mean()), 0.0)
