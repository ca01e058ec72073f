"""A rough fill: what lies under the matte while others learn beside it.

Training windows may hold part of the user's matte. Nothing is learnt there, but the network sees
it as noisy surroundings, and grey (the published choice) looks like no part of the plate: what was
learnt beside it does not hold when sampling has real texture there.
"""

from __future__ import annotations

import torch
from torch import Tensor


def roughly_filled(x_0: Tensor, hole: Tensor) -> Tensor:
    """The clip with each missing pixel taken from the nearest frame that knows it.

    A pixel that no frame knows takes the mean colour of all that is known.

    Args:
        x_0: (3, T, H, W) encoded clip.
        hole: (1, T, H, W), 1 = missing.

    Returns:
        (3, T, H, W), equal to x_0 where it is known.
    """
    missing = hole[0] > 0  # (T, H, W)
    if not bool((~missing).any()):
        return x_0
    total = x_0.shape[1]
    frames = torch.arange(total, device=x_0.device)[:, None, None].expand(missing.shape)
    before = torch.where(missing, -2 * total, frames).cummax(0).values  # last frame that knew
    after = torch.where(missing, 3 * total, frames).flip(0).cummin(0).values.flip(0)
    nearest = torch.where(frames - before <= after - frames, before, after)
    seen = (nearest >= 0) & (nearest < total)
    index = nearest.clamp(0, total - 1)[None].expand_as(x_0)
    mean = x_0[:, ~missing].mean(1)[:, None, None, None]
    return torch.where(seen, x_0.gather(1, index), mean)
