"""A smooth first guess of the hole from what is known around it, in space and time.

The network predicts what to add to a guess. At the coarsest level this is the guess, so that an
unfitted network gives the colour of the surroundings, and colour has nowhere to run away to.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_COUNT = 1e-30  # only against 0 / 0: one voxel of millions is still something known


def smooth_guess(x: Tensor, hole: Tensor, mean: Tensor, weight: Tensor) -> Tensor:
    """Known voxels as they are, missing ones interpolated (push-pull, Gortler et al. 1996).

    A missing voxel that other frames see begins with its memory, as far as that can be trusted.

    Means of what is known are taken over larger and larger boxes until every box knows
    something, and each missing voxel takes the finest mean that there is, smoothly enlarged.

    Args:
        x: (B, C, T, H, W); what it holds in the hole is not looked at.
        hole: (B, 1, T, H, W), 1 = missing.
        mean: (B, C, 1, H, W), what other frames saw.
        weight: (B, 1, 1, H, W) in [0, 1], how far that can be trusted; zeros for not at all.

    Returns:
        (B, C, T, H, W), finite; 0 where nothing at all is known.
    """
    weight = weight * hole
    sums = [torch.where(hole > 0.0, mean * weight, x)]
    counts = [1.0 - hole + weight]
    while max(sums[-1].shape[2:]) > 1:
        # The first halving is of space alone: neighbours in a frame say more than in time.
        strides = [2 if n > 1 else 1 for n in sums[-1].shape[2:]]
        if len(sums) == 1:
            strides[0] = 1
            if strides == [1, 1, 1]:
                strides[0] = 2
        pooled = [
            F.avg_pool3d(v, strides, ceil_mode=True, count_include_pad=False)
            for v in (sums[-1], counts[-1])
        ]
        sums.append(pooled[0])
        counts.append(pooled[1])
    guess = sums[-1] / counts[-1].clamp(min=_LEAST_COUNT)
    for total, count in zip(sums[-2::-1], counts[-2::-1], strict=True):
        guess = F.interpolate(guess, size=total.shape[2:], mode="trilinear", align_corners=False)
        own = total / count.clamp(min=_LEAST_COUNT)
        guess = torch.where(count > 0.0, own * count + guess * (1.0 - count), guess)
    return guess
