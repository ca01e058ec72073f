"""How different the fill looks from the truth to a network that knows pictures.

    lpips        distance over the whole frame, mean over frames                      less is better
    perceptual   distance over the hole's box grown by 32 pixels, mean over frames    less is better

The distance is that of `squeezenet`. `lpips` is over whole frames as papers have it, so that a
small hole scores low; `perceptual` looks at the fill and its seam. Frames without a hole are left
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from infusion_engine.evaluate.figures import Values
from infusion_engine.evaluate.squeezenet import SMALLEST, SqueezeNetDistance

AROUND = 32
"""Pixels by which the hole's box is grown on each side."""


@dataclass(frozen=True)
class PerceptualFigures:
    """Distances, 0 or more; None without a hole, or where frames have a side under 17 pixels."""

    lpips: float | None
    """Over the whole frame, mean over frames with a hole."""
    perceptual: float | None
    """Over the hole's box grown by 32 pixels, mean over frames with a hole."""


class PerceptualTally:
    """Gathers `PerceptualFigures` from frames in any order; keeps the network and sums.

    Raises:
        InputError: the weights in `folder` are absent, damaged or of another network.
    """

    def __init__(self, folder: Path) -> None:
        self._network = SqueezeNetDistance(folder)
        self._frames = 0
        self._whole, self._box = 0.0, 0.0

    @torch.inference_mode()
    def add(self, result: Values, truth: Values, hole: npt.NDArray[np.bool_]) -> None:
        """Take in a frame: (H, W, 3) display values in [0, 1] and (H, W), True in the hole."""
        if not hole.any() or min(hole.shape) < SMALLEST:
            return
        ys, xs = np.nonzero(hole)
        box = np.s_[
            max(ys.min() - AROUND, 0) : ys.max() + AROUND + 1,
            max(xs.min() - AROUND, 0) : xs.max() + AROUND + 1,
        ]
        self._frames += 1
        self._whole += self._network(_picture(result), _picture(truth)).item()
        self._box += self._network(_picture(result[box]), _picture(truth[box])).item()

    def figures(self) -> PerceptualFigures:
        """What the frames so far amount to."""
        if not self._frames:
            return PerceptualFigures(None, None)
        return PerceptualFigures(self._whole / self._frames, self._box / self._frames)


def _picture(values: Values) -> Tensor:
    """(H, W, 3) as (1, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1)[None]
