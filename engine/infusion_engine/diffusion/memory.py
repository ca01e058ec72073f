"""Memory: what a pixel looks like when it is not hidden, over all frames of the shot.

A network sees a few frames to each side. What a moving matte uncovers a second later is further
away than that, and where the camera stands still it is the best there is to know of the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.shelf import MEASURED, Shelf, bands

_HALF_TRUSTED = 8.0
"""Frames after which the mean of a moving texture counts as much as interpolation does: few frames
say little of such a place. What stands still is trusted after fewer, as its variance is less."""
_HALF_STILL = 0.1
"""Variance over time, as a part of the plate's, at which the mean is half of a first guess: of what
moves, neighbours in the frame say more than the same place at another time."""
_LEAST_FRAMES = 2.0  # one frame alone does not say how much a pixel changes


@dataclass(frozen=True, eq=False)
class Memory:
    """Each pixel over the frames that see it."""

    mean: Tensor
    """(B, 3, 1, H, W), mean; 0 where no frame sees the pixel."""
    weight: Tensor
    """(B, 1, 1, H, W) in [0, 1], how far the mean can be relied on."""
    still: Tensor
    """(B, 1, 1, H, W) in [0, 1], how far the mean alone says what the pixel looks like."""
    count: Tensor
    """(B, 1, 1, H, W), how many frames see the pixel."""
    variance: Tensor
    """(B, 1, 1, H, W), unbiased variance over time, mean of the channels; 0 where unknown."""
    variances: Tensor
    """(B, 3, 1, H, W), unbiased variance over time of each channel; 0 where unknown."""
    known: Tensor
    """(B, 1, 1, H, W), how far the variance can be relied on, in [0, 1)."""


def remembered(x: Tensor, seen: Tensor, *, variance: float) -> Memory:
    """Each pixel's mean over the frames that see it, and how much it changes.

    The weight of a mean of n frames is n / (n + 8 share): share is the pixel's variance over time
    (over its 3 x 3 neighbourhood) as a part of `variance`, at most 1. A texture that moves as much
    as the plate varies has n / (n + 8); a still place is trusted nearly wholly. That a mean is well
    known does not make it the picture: `still` is the weight over 1 + (share / 0.1)^2.

    Args:
        x: (B, 3, T, H, W); not looked at where it is not seen.
        seen: (B, 1, T, H, W), 1 where a pixel is known and no occluder hides it.
        variance: what x varies by over the whole shot, mean of the channels.
    """
    count = seen.sum(2, keepdim=True)  # (B, 1, 1, H, W)
    clean = torch.where(seen > 0.0, x, 0.0)
    mean = clean.sum(2, keepdim=True) / count.clamp(min=1.0)
    each = ((clean - mean) * seen).square().sum(2, keepdim=True)  # (B, 3, 1, H, W)
    squares = each.mean(1, keepdim=True)
    freedom = (count - 1.0).clamp(min=0.0)
    near = _around(freedom)
    share = _around(squares) / near.clamp(min=1.0) / max(variance, 1e-12)
    share = torch.where(near > 0.0, share, 1.0).clamp(max=1.0)
    weight = count / (count + _HALF_TRUSTED * share).clamp(min=1.0)
    return Memory(
        mean=mean,
        weight=weight,
        still=weight / (1.0 + (share / _HALF_STILL).square()),
        count=count,
        variance=squares / freedom.clamp(min=1.0),
        variances=each / freedom.clamp(min=1.0),
        known=torch.where(count >= _LEAST_FRAMES, count / (count + _HALF_TRUSTED), 0.0),
    )


def remembered_of(
    x: Callable[[slice], Tensor], hole: Tensor, *, variance: float, shelf: Shelf
) -> Memory:
    """The memory of a whole level, which may be too large to be looked at all at once.

    Args:
        x: gives some rows of the clip, (3, T, h, W); not looked at where it is not seen.
        hole: (1, T, H, W), 1 = missing.
        variance: as :func:`remembered`.
        shelf: where the clip lies.

    Returns:
        Of a batch of one.
    """
    height = hole.shape[-2]
    found: list[Memory] = []
    for rows in bands(hole, MEASURED // 3):
        # A row more on either side has a say in the means over 3 x 3 pixels.
        seen = slice(max(0, rows.start - 1), min(height, rows.stop + 1))
        own = remembered(x(seen)[None], (1.0 - hole[:, :, seen])[None], variance=variance)
        found.append(_rows(own, slice(rows.start - seen.start, rows.stop - seen.start)))
        shelf.rest()
    if len(found) == 1:
        return found[0]
    return Memory(
        **{f.name: torch.cat([getattr(one, f.name) for one in found], -2) for f in fields(Memory)}
    )


def _rows(memory: Memory, rows: slice) -> Memory:
    """Some rows of it."""
    return Memory(**{f.name: getattr(memory, f.name)[..., rows, :] for f in fields(Memory)})


def _around(x: Tensor) -> Tensor:
    """(B, 1, 1, H, W): sums over each pixel's 3 x 3 neighbourhood."""
    return F.avg_pool2d(x[:, :, 0], 3, stride=1, padding=1, divisor_override=1)[:, :, None]
