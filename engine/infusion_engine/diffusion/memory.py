"""Memory: what a pixel looks like when it is not hidden, over all frames of the shot.

A network sees a few frames to each side. What a moving matte uncovers a second later is further
away than that, and where the camera stands still it is the best there is to know of the place.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHANNELS = 4
"""Mean colour (3) and how far it can be relied on (1)."""
_HALF_TRUSTED = 8.0
"""Frames after which a mean counts as much as interpolation does: few frames of a moving texture
say little of the place, and flames, seen twice, were filled worse by their mean."""


def remembered(x_0: Tensor, seen: Tensor) -> Tensor:
    """Each pixel's mean over the frames that see it, and its weight.

    Args:
        x_0: (..., 3, T, H, W) encoded clip; not looked at where it is not seen.
        seen: (..., 1, T, H, W), 1 where a pixel is known and no occluder hides it.

    Returns:
        (..., 4, 1, H, W): mean colour, 0 where no frame sees the pixel; weight n / (n + 8) for n
        frames.
    """
    count = seen.sum(-3, keepdim=True)
    total = torch.where(seen > 0.0, x_0, 0.0).sum(-3, keepdim=True)
    mean = total / count.clamp(min=1.0)
    return torch.cat([mean, count / (count + _HALF_TRUSTED)], dim=-4)
