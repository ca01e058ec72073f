"""A smooth first guess of the hole from what is known around it, in space and time.

The network predicts what to add to a guess. At the coarsest level this is the guess, so that an
unfitted network gives the colour of the surroundings, and colour has nowhere to run away to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.shelf import MEASURED, Shelf

_CHANNELS = 3  # of the clip that is looked at, whatever is made of it
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
    return _pushed_pulled(*weighed(x, hole, mean, weight), True)


def _pushed_pulled(total: Tensor, count: Tensor, first: bool) -> Tensor:
    """What boxes of one size know, and where they know nothing what larger ones do.

    Args:
        total: (B, C, T, H, W), the mean over each box of what is known, by its weight.
        count: (B, 1, T, H, W), the mean weight.
        first: boxes are single voxels.
    """
    if max(total.shape[2:]) == 1:
        return total / count.clamp(min=_LEAST_COUNT)
    strides = _strides(total.shape[2:], first)
    below = _pushed_pulled(_pooled(total, strides), _pooled(count, strides), False)
    guess = F.interpolate(below, size=total.shape[2:], mode="trilinear", align_corners=False)
    return _mixed(total, count, guess)


def smooth_guess_of(
    values: Callable[[slice], tuple[Tensor, Tensor]],
    size: tuple[int, ...],
    device: torch.device,
    shelf: Shelf,
) -> Tensor:
    """The guess of a whole level, which may be too large to be looked at all at once.

    Args:
        values: of some frames, (weighed values (B, C, t, H, W), their weights (B, 1, t, H, W)):
            see :func:`weighed`.
        size: (B, C, T, H, W) of all.
        device: of the values.
        shelf: where what is made of them lies.

    Returns:
        (B, C, T, H, W), finite; 0 where nothing at all is known.
    """
    batch, channels, frames, height, width = size
    if math.prod(size[2:]) * _CHANNELS <= MEASURED or max(height, width) == 1:
        return _pushed_pulled(*values(slice(0, frames)), True)
    strides = _strides(size[2:], True)
    smaller = (frames, -(-height // strides[1]), -(-width // strides[2]))
    total = shelf.zeros(batch, channels, *smaller, device=device)
    count = shelf.zeros(batch, 1, *smaller, device=device)
    guess = shelf.zeros(*size, device=device)
    for some in shelf.pieces(guess):
        for room, own in zip((total, count), values(some), strict=True):
            room[:, :, some] = _pooled(own, strides)
    below = _large(total, count, shelf)
    del total, count
    for some in shelf.pieces(guess):
        guess[:, :, some] = _mixed(*values(some), _enlarged(below, size[2:], some))
    return guess


def _large(total: Tensor, count: Tensor, shelf: Shelf) -> Tensor:
    """As :func:`_pushed_pulled`, piece by piece; an even number of frames at a time."""
    if total.numel() <= MEASURED:
        return _pushed_pulled(total, count, False)
    size, strides = total.shape[2:], _strides(total.shape[2:], False)
    smaller = [-(-n // stride) for n, stride in zip(size, strides, strict=True)]
    rooms = [shelf.zeros(*x.shape[:2], *smaller, device=x.device) for x in (total, count)]
    for after in shelf.pieces(rooms[0]):
        before = slice(after.start * strides[0], min(after.stop * strides[0], size[0]))
        for room, own in zip(rooms, (total, count), strict=True):
            room[:, :, after] = _pooled(own[:, :, before], strides)
    below = _large(rooms[0], rooms[1], shelf)
    guess = shelf.zeros(*total.shape, device=total.device)
    for some in shelf.pieces(guess):
        larger = _enlarged(below, size, some)
        guess[:, :, some] = _mixed(total[:, :, some], count[:, :, some], larger)
    return guess


def weighed(x: Tensor, hole: Tensor, mean: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """(what is known of each voxel by its weight, its weight); as :func:`smooth_guess` takes it."""
    weight = weight * hole
    return torch.where(hole > 0.0, mean * weight, x), 1.0 - hole + weight


def _strides(size: Sequence[int], first: bool) -> tuple[int, int, int]:
    """By how much boxes grow in time, height and width.

    At first in space alone: neighbours in a frame say more than in time.
    """
    frames, rows, columns = (2 if n > 1 else 1 for n in size)
    if first and (rows, columns) != (1, 1):
        frames = 1
    return frames, rows, columns


def _pooled(x: Tensor, strides: tuple[int, int, int]) -> Tensor:
    return F.avg_pool3d(x, strides, ceil_mode=True, count_include_pad=False)


def _mixed(total: Tensor, count: Tensor, guess: Tensor) -> Tensor:
    """What boxes know themselves, and `guess` as far as they do not."""
    own = total / count.clamp(min=_LEAST_COUNT)
    return torch.where(count > 0.0, own * count + guess * (1.0 - count), guess)


def _enlarged(x: Tensor, size: Sequence[int], frames: slice) -> Tensor:
    """Frames `frames` of x (B, C, t, h, w) enlarged to `size` (T, H, W), trilinear."""
    share = x.shape[2] / size[0]
    at = ((torch.arange(frames.start, frames.stop, device=x.device) + 0.5) * share - 0.5).clamp(0)
    low = at.long()
    high = (low + 1).clamp(max=x.shape[2] - 1)
    first, last = int(low[0]), int(high[-1])
    batch = x.shape[0]
    flat = x[:, :, first : last + 1].transpose(1, 2).flatten(0, 1)  # (B t, C, h, w)
    flat = F.interpolate(flat, size=tuple(size[1:]), mode="bilinear", align_corners=False)
    wide = flat.reshape(batch, -1, *flat.shape[1:]).transpose(1, 2)
    return torch.lerp(
        wide[:, :, low - first], wide[:, :, high - first], (at - low)[:, None, None].to(x)
    )
