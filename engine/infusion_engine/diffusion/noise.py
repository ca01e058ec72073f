"""Counter-based noise: the value at a voxel is a function of a key and of the voxel's position.

The same on every device, for every tiling and for every order of work: integers are hashed, and
a table turns 16 hashed bits into a standard normal value, so that no device's own logarithm or
cosine has a say. The sum of two such values, over sqrt(2), smooths the table's steps away.
"""

from __future__ import annotations

import hashlib
from functools import cache
from statistics import NormalDist

import numpy as np
import torch

_WORD = 0xFFFFFFFF
_TABLE_BITS = 16
_AT_ONCE = 1 << 20
"""Voxels that are hashed at a time; training windows are smaller."""


def key(*parts: object) -> int:
    """A 64-bit key from what prints the same everywhere, e.g. ("sample", seed, take, t)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


def gaussian(
    noise_key: int,
    *,
    frames: range,
    rows: range,
    columns: range,
    channels: int,
    device: torch.device,
) -> torch.Tensor:
    """Standard normal noise for a box of voxels.

    Args:
        noise_key: from :func:`key`; another key is another, independent field.
        frames, rows, columns: positions in the clip; the same position has the same value in
            whatever box it is asked for.
        channels: channels 0 .. channels - 1.
        device: where the tensor is wanted.

    Returns:
        (channels, len(frames), len(rows), len(columns)) float32.
    """
    found = torch.empty(channels, len(frames), len(rows), len(columns), device=device)
    # Integers take many times what they become: a large clip is hashed some frames at a time.
    channel, table = torch.arange(channels, device=device), _normal_table().to(device)
    at_once = max(1, _AT_ONCE // max(1, len(rows) * len(columns)))
    for first in range(0, len(frames), at_once):
        some = slice(first, first + at_once)
        words = _words(noise_key, frames[some], rows, columns, channel)
        found[:, some] = (table[words & 0xFFFF] + table[words >> _TABLE_BITS]) * 0.7071067811865476
    return found


def _words(
    noise_key: int, frames: range, rows: range, columns: range, channels: torch.Tensor
) -> torch.Tensor:
    """Hashed 32-bit words of a box of voxels, (C, T, H, W) int64."""
    low, high, device = noise_key & _WORD, noise_key >> 32, channels.device
    state = _mix(_positions(frames, device) ^ low)  # (T)
    state = _mix(state[:, None] + _positions(rows, device) * 0x9E3779B1)  # (T, H)
    state = _mix(state[:, :, None] + _positions(columns, device) * 0x85EBCA77 + high)  # (T, H, W)
    return _mix(state[None] ^ (channels * 0xC2B2AE3D)[:, None, None, None])  # (C, T, H, W)


def _positions(positions: range, device: torch.device) -> torch.Tensor:
    """The positions as non-negative 32-bit words held in int64."""
    return torch.arange(positions.start, positions.stop, device=device, dtype=torch.int64) & _WORD


def _mix(word: torch.Tensor) -> torch.Tensor:
    """Avalanche 32-bit words held in int64 (the two-multiply finaliser found by C. Wellons)."""
    word = word & _WORD
    word = ((word ^ (word >> 16)) * 0x7FEB352D) & _WORD
    word = ((word ^ (word >> 15)) * 0x846CA68B) & _WORD
    return word ^ (word >> 16)


@cache
def _normal_table() -> torch.Tensor:
    """Quantiles of the standard normal at the middles of 2**16 equal slices, (65536,) float32."""
    count = 1 << _TABLE_BITS
    normal = NormalDist()
    upper = [normal.inv_cdf((i + 0.5) / count) for i in range(count // 2, count)]
    values = np.array([-v for v in reversed(upper)] + upper, dtype=np.float64)
    # Slice middles miss a little of the tails' variance: scale it back to exactly one.
    return torch.from_numpy((values / np.sqrt(np.mean(values**2))).astype(np.float32))
