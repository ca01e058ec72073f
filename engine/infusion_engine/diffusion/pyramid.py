"""The pyramid: the clip at halved sizes, and how one size becomes the next.

Layout is settled where the hole is small, and each finer level only adds the detail that halving
took away (coarse to fine, as image pyramids have always done; SinDDM, arXiv 2211.16582, does it
for diffusion on a single image). Frames are never merged: motion stays what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_KNOWN = 0.1
"""Share of a level's voxels that must be known: there has to be something to learn from."""


@dataclass(frozen=True)
class PyramidLevel:
    """The clip at one size; all tensors on one device."""

    x_0: Tensor
    """(3, T, H, W) encoded clip, 0 where it is not known."""
    hole: Tensor
    """(1, T, H, W), 1 = missing."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.hole.shape[2], self.hole.shape[3]


def halved(x: Tensor) -> Tensor:
    """(C, T, H, W) -> (C, T, ceil(H / 2), ceil(W / 2)): the mean over each 2 x 2 pixels."""
    # A side of one pixel has no two to take a mean of, which torch would refuse.
    kernel = (1, min(2, x.shape[2]), min(2, x.shape[3]))
    return F.avg_pool3d(x[None], kernel, ceil_mode=True, count_include_pad=False)[0]


def doubled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, T, h, w) -> (C, T, *size), bilinear, each pixel centred on the four it stands for."""
    large = F.interpolate(
        x.transpose(0, 1), scale_factor=2, mode="bilinear", align_corners=False
    ).transpose(0, 1)
    return large[..., : size[0], : size[1]]


def coarser(level: PyramidLevel) -> PyramidLevel:
    """The level of half the size; a pixel that the hole touches at all is missing."""
    hole = F.max_pool3d(level.hole[None], (1, 2, 2), ceil_mode=True)[0]
    return PyramidLevel(x_0=halved(level.x_0) * (1.0 - hole), hole=hole)


def levels(x_0: Tensor, hole: Tensor, *, coarsest_hole_pixels: int) -> tuple[PyramidLevel, ...]:
    """The clip and its halvings, coarsest first.

    Halving goes on until the largest hole of any frame is no wider than asked for, or too little
    would be known.

    Args:
        x_0: (3, T, H, W) encoded clip, 0 where it is not known.
        hole: (1, T, H, W), 1 = missing.
        coarsest_hole_pixels: side of the square that has as many pixels as the largest hole;
            0 for a single level.
    """
    found = [PyramidLevel(x_0=x_0, hole=hole)]
    while coarsest_hole_pixels and _side(found[0].hole) > coarsest_hole_pixels:
        next_level = coarser(found[0])
        if float(next_level.hole.mean()) > 1.0 - _LEAST_KNOWN:
            break
        found.insert(0, next_level)
    return tuple(found)


def _side(hole: Tensor) -> float:
    """Square root of the number of missing pixels in the frame that misses most."""
    return math.sqrt(float(hole[0].sum((1, 2)).max()))


def without_detail(coarse: Tensor, level: PyramidLevel) -> Tensor:
    """What a level is to add detail to: the coarser level's filled clip, at this level's size.

    A coarse pixel that the hole touches in part was filled as if nothing of it were known. Here
    it takes the mean of the fill and of what the finer level knows of it, as every mean in
    training is; otherwise the hole's outline shows.

    Args:
        coarse: (3, T, ceil(H / 2), ceil(W / 2)) filled clip of the coarser level.
        level: the finer level.

    Returns:
        (3, T, H, W).
    """
    mixed = torch.where(level.hole > 0.0, doubled(coarse, level.size), level.x_0)
    inside = halved(level.hole) >= 1.0
    return doubled(torch.where(inside, coarse, halved(mixed)), level.size)


def detail_spread(level: PyramidLevel, filled: Tensor) -> float:
    """Deviation of what halving takes away from the level's known voxels, per channel.

    Args:
        level: the finer of two levels.
        filled: (3, T, H, W), its x_0 with anything at all in the hole.

    Returns:
        Root mean square of x_0 minus doubled(halved(x_0)); a small floor where nothing is known.
    """
    lost = (filled - doubled(halved(filled), level.size)) * (1.0 - level.hole)
    known = float((1.0 - level.hole).sum()) * lost.shape[0]
    return max(1e-3, math.sqrt(float(lost.double().pow(2).sum()) / max(known, 1.0)))
