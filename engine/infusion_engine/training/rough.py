"""A rough fill: what lies under the matte while others learn beside it.

Training windows may hold part of the user's matte. Nothing is learnt there, but the network sees
it as noisy surroundings, and grey (the published choice) looks like no part of the plate: what was
learnt beside it does not hold when sampling has real texture there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from infusion_engine.diffusion.moments import mean_known
from infusion_engine.diffusion.shelf import Shelf, bands


def roughly_filled(x_0: Tensor, hole: Tensor, shelf: Shelf | None = None) -> Tensor:
    """The clip with each missing pixel taken from the nearest frame that knows it.

    A pixel that no frame knows takes the mean colour of all that is known.

    Args:
        x_0: (3, T, H, W) encoded clip.
        hole: (1, T, H, W), 1 = missing.
        shelf: where both lie, and what is made of them; None for memory.

    Returns:
        (3, T, H, W), equal to x_0 where it is known.
    """
    shelf = shelf or Shelf()
    mean = mean_known(x_0, hole, shelf)
    if mean is None:
        return x_0
    filled = shelf.zeros(*x_0.shape, device=x_0.device)
    for rows in bands(x_0):
        filled[:, :, rows] = _band_filled(x_0[:, :, rows], hole[0, :, rows] > 0, mean)
        shelf.rest()
    return filled


def _band_filled(x_0: Tensor, missing: Tensor, mean: Tensor) -> Tensor:
    """Some rows (3, T, h, W), each pixel by itself; missing is (T, h, W) bool, mean (3,)."""
    total = x_0.shape[1]
    frames = torch.arange(total, device=x_0.device)[:, None, None].expand(missing.shape)
    before = torch.where(missing, -2 * total, frames).cummax(0).values  # last frame that knew
    after = torch.where(missing, 3 * total, frames).flip(0).cummin(0).values.flip(0)
    nearest = torch.where(frames - before <= after - frames, before, after)
    seen = (nearest >= 0) & (nearest < total)
    index = nearest.clamp(0, total - 1)[None].expand_as(x_0)
    return torch.where(seen, x_0.gather(1, index), mean[:, None, None, None])
