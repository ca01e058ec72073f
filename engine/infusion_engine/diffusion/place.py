"""The place of a clip that sampling looks at: the hole and a margin, or all of it."""

from __future__ import annotations

import torch
from torch import Tensor

from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.settings import Area, Settings


def sampled_place(
    hole: Tensor, settings: Settings, shelf: Shelf | None = None
) -> tuple[slice, slice]:
    """(rows, columns) of the clip that sampling looks at: all of it, or the hole and a margin.

    hole is (1, T, H, W), 1 = missing, and lies on `shelf` (None: in memory).
    """
    shelf = shelf or Shelf()
    height, width = hole.shape[-2:]
    everything = slice(0, height), slice(0, width)
    if settings.area is Area.FRAME:
        return everything
    anywhere = torch.stack([(hole[0, f] > 0).any(0) for f in shelf.pieces(hole)]).any(0)
    if not bool(anywhere.any()):
        return everything
    margin = settings.margin_pixels
    rows, columns = anywhere.any(1).nonzero().flatten(), anywhere.any(0).nonzero().flatten()
    return (
        slice(max(0, int(rows[0]) - margin), min(height, int(rows[-1]) + 1 + margin)),
        slice(max(0, int(columns[0]) - margin), min(width, int(columns[-1]) + 1 + margin)),
    )


def with_sample(level: PyramidLevel, place: tuple[slice, slice], x: Tensor, unit: float) -> Tensor:
    """(3, T, H, W): a level's clip with a sample of its sampled place put in, in encoded values.

    Args:
        level: the clip.
        place: (rows, columns) that were sampled.
        x: (3, T, h, w) sample, in parts of `unit`.
        unit: the encoded value that is 1 in it.
    """
    filled = level.shelf.copied(level.x_0)
    for frames in level.shelf.pieces(filled):
        there = (slice(None), frames, *place)
        fill = x[:, frames] * unit
        filled[there] = torch.where(level.hole[there] > 0.0, fill, level.x_0[there])
    return filled
