"""The pyramid: the clip at halved sizes, and how one size becomes the next.

Layout is settled where the hole is small, and each finer level only adds the detail that halving
took away (coarse to fine, as image pyramids have always done; SinDDM, arXiv 2211.16582, does it
for diffusion on a single image). Frames are never merged: motion stays what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.shelf import MEASURED, Shelf
from infusion_engine.media.box import Box


@dataclass(frozen=True)
class PyramidLevel:
    """The clip at one size; all tensors on one device."""

    x_0: Tensor
    """(3, T, H, W) encoded clip, 0 where it is not known."""
    hole: Tensor
    """(1, T, H, W), 1 = missing."""
    corner: tuple[int, int] = (0, 0)
    """(row, column) of its first pixel on the grid of its size: a level keeps a part of it."""
    shelf: Shelf = field(default_factory=Shelf)
    """Where it lies, and what is made of it."""

    @property
    def part(self) -> Box:
        """The part of its grid that the level keeps, in its own pixels."""
        (top, left), (height, width) = self.corner, self.size
        return Box(left, top, left + width, top + height)

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


def known_range(level: PyramidLevel) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(smallest, largest) known value of each channel; -1 and 1 where nothing is known."""
    least, most = [], []
    for frames in level.shelf.pieces(level.x_0):
        seen = level.x_0[:, frames][:, level.hole[0, frames] == 0.0]  # (3, N)
        if seen.numel():
            least.append(seen.amin(1))
            most.append(seen.amax(1))
    if not least:
        return (-1.0,) * len(level.x_0), (1.0,) * len(level.x_0)
    return tuple(torch.stack(least).amin(0).tolist()), tuple(torch.stack(most).amax(0).tolist())


def beneath(finer: Box, coarser: Box) -> tuple[slice, slice]:
    """(rows, columns) of the coarser level's part that lie beneath the finer level's part.

    The finer part's corner is even, and the coarser part holds all that lies beneath it.
    """
    return finer.halved().slices(coarser)


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
    found = level.shelf.zeros(*level.x_0.shape, device=level.x_0.device)
    for frames in level.shelf.pieces(found):
        hole, below = level.hole[:, frames], coarse[:, frames]
        mixed = torch.where(hole > 0.0, doubled(below, level.size), level.x_0[:, frames])
        inside = halved(hole) >= 1.0
        found[:, frames] = doubled(torch.where(inside, below, halved(mixed)), level.size)
    return found


def detail_spread(level: PyramidLevel, filled: Tensor) -> float:
    """Deviation of what halving takes away from the level's known voxels, per channel.

    Args:
        level: the finer of two levels.
        filled: (3, T, H, W), its x_0 with anything at all in the hole.

    Returns:
        Root mean square of x_0 minus doubled(halved(x_0)); a small floor where nothing is known.
    """
    squares = known = 0.0
    for frames in level.shelf.pieces(filled, MEASURED):
        seen = 1.0 - level.hole[:, frames]
        lost = (filled[:, frames] - doubled(halved(filled[:, frames]), level.size)) * seen
        known += float(seen.sum()) * lost.shape[0]
        squares += float(lost.double().pow(2).sum())
    return max(1e-3, math.sqrt(squares / max(known, 1.0)))
