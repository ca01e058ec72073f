"""Resampling: values of a picture at places between its pixels, and whether all is known there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TAPS = (-1, 0, 1, 2)
"""Pixels that a cubic looks at, counted from the one before the place."""


def sampled(
    values: np.ndarray, usable: np.ndarray, rows: Floats, columns: Floats
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Catmull-Rom cubics at places of a picture, never beyond the pixels that they lie between.

    A cubic overshoots where something bright ends, and an overshoot below black is a black spot in
    whatever learns from it.

    Args:
        values: (H, W, C) of any type; finite where usable.
        usable: (H, W) bool.
        rows: (h, w) places, in pixels of the picture from the middle of its first; any real number.
        columns: (h, w) likewise.

    Returns:
        (h, w, C) float32, 0 where not known; and (h, w), True where every pixel that has a weight
        there lies in the picture and is usable.
    """
    height, width, _ = values.shape
    clean = np.where(usable[..., None], values, np.zeros((), values.dtype)).astype(np.float32)
    top, left = np.floor(rows), np.floor(columns)
    down, across = _weights(rows - top), _weights(columns - left)
    total = np.zeros((*rows.shape, values.shape[2]), np.float64)
    low = np.full(total.shape, np.inf, np.float32)
    high = np.full(total.shape, -np.inf, np.float32)
    known = np.ones(rows.shape, np.bool_)
    for i in _TAPS:
        for j in _TAPS:
            weight = down[i + 1] * across[j + 1]
            row, column = (top + i).astype(np.int64), (left + j).astype(np.int64)
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            row, column = row.clip(0, height - 1), column.clip(0, width - 1)
            known &= (weight == 0.0) | (inside & usable[row, column])
            theirs = clean[row, column]  # (h, w, C)
            total += weight[..., None] * theirs
            if i in (0, 1) and j in (0, 1):
                counts = (weight != 0.0)[..., None]
                low = np.where(counts, np.minimum(low, theirs), low)
                high = np.where(counts, np.maximum(high, theirs), high)
    found = np.clip(total.astype(np.float32), low, high)
    return np.where(known[..., None], found, np.float32(0.0)), known


def _weights(part: Floats) -> tuple[Floats, ...]:
    """Of the four pixels around a place `part` of a pixel after the second; they sum to 1."""
    p = part
    return (
        ((2.0 - p) * p - 1.0) * p / 2.0,
        ((3.0 * p - 5.0) * p * p + 2.0) / 2.0,
        ((4.0 - 3.0 * p) * p + 1.0) * p / 2.0,
        (p - 1.0) * p * p / 2.0,
    )
