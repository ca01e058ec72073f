"""The region: the part of the plate that is worked on, and its size while it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from infusion_engine.media.box import Box
from infusion_engine.settings import Area, Settings

ALIGNMENT = 8
"""Worked sizes are multiples of this: what the published network halves away; ours takes any."""


@dataclass(frozen=True)
class Region:
    """A box of the plate and the size at which it is worked on."""

    box: Box
    """In the plate's absolute coordinates."""
    width: int
    """Pixels across at working size; at most the box's own."""
    height: int
    """Pixels down at working size; at most the box's own."""

    @property
    def padded(self) -> tuple[int, int]:
        """(height, width) rounded up to what a network takes; the rest counts as not known."""
        return _aligned(self.height), _aligned(self.width)

    @property
    def is_native(self) -> bool:
        """True when nothing is resized."""
        return (self.width, self.height) == (self.box.width, self.box.height)

    def within(self, part: Box) -> Region:
        """The region of a part, given in pixels of this one.

        Raises:
            ValueError: this region is reduced, and the part is not all of it.
        """
        part = part.intersection(Box(0, 0, self.width, self.height))  # without padding
        if (part.width, part.height) == (self.width, self.height):
            return self
        if not self.is_native:
            raise ValueError("a part of a reduced region has no whole pixels of the plate")
        box = part.moved(self.box.x0, self.box.y0)
        return Region(box, box.width, box.height)

    @cached_property
    def _shrink(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns): area weights, (height, box height) and (width, box width)."""
        return _area(self.height, self.box.height), _area(self.width, self.box.width)

    @cached_property
    def _enlarge(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns): cubic weights, (box height, height) and (box width, width)."""
        return _cubic(self.box.height, self.height), _cubic(self.box.width, self.width)

    def shrink(self, values: np.ndarray) -> np.ndarray:
        """(box height, box width[, C]) -> (height, width[, C]): the mean over each pixel's area."""
        if self.is_native:
            return values.astype(np.float32)
        rows, columns = self._shrink
        return _apply(rows, columns, values)

    def enlarge(self, values: np.ndarray) -> np.ndarray:
        """(height, width[, C]) -> (box height, box width[, C]), by Catmull-Rom cubics.

        Never beyond the values given: a cubic's overshoot in a logarithm is a blaze in the light.
        """
        if self.is_native:
            return values
        rows, columns = self._enlarge
        bounds = values.min(axis=(0, 1)), values.max(axis=(0, 1))
        return np.asarray(np.clip(_apply(rows, columns, values), *bounds))


def choose_region(hole: Box, canvas: Box, settings: Settings) -> Region:
    """The region for a shot.

    Args:
        hole: the smallest box around the hole of every frame.
        canvas: the plate's pixels.
        settings: area, context and working size.
    """
    most_w, most_h = settings.working_size
    if settings.area is Area.FRAME:
        # As published: stretched to the working size when larger, its shape not kept.
        larger = canvas.width > most_w or canvas.height > most_h
        width, height = (most_w, most_h) if larger else (canvas.width, canvas.height)
        return Region(canvas, min(width, canvas.width), min(height, canvas.height))
    most = most_w * most_h
    for multiple in (ALIGNMENT, 1):  # native rather than without padding, where both cannot be had
        box = _rounded(hole.grown(settings.context_pixels), canvas, multiple=multiple)
        if box.width * box.height <= most:
            return Region(box, box.width, box.height)
    scale = 1.0
    for _ in range(8):  # the context is counted at working size, so that scale and box meet
        box = _rounded(hole.grown(math.ceil(settings.context_pixels / scale)), canvas, multiple=1)
        fitting = math.sqrt(most / (box.width * box.height))
        if fitting >= scale:
            break
        scale = fitting
    return Region(box, *_reduced(box, scale, most))


def surroundings(hole: Box, canvas: Box, pixels: int) -> Region:
    """The hole and `pixels` of plate on each side, at native size."""
    box = _rounded(hole.grown(pixels), canvas, multiple=ALIGNMENT)
    return Region(box, box.width, box.height)


def _reduced(box: Box, scale: float, most: int) -> tuple[int, int]:
    """(width, height) of about `scale` times the box, `most` pixels in all, little distorted.

    Multiples of ALIGNMENT: padding counts as not known, and a network that is fitted to holes of
    the hole's own shape would spend its time on strips.
    """
    across, down = (_near(side * scale, side) for side in (box.width, box.height))
    sizes = [(width, min(down[-1], _cut(most // width))) for width in across]
    sizes += [(min(across[-1], _cut(most // height)), height) for height in down]
    return max(sizes, key=lambda size: (min(size[0] / box.width, size[1] / box.height), size))


def _near(exact: float, most: int) -> list[int]:
    """The multiples of ALIGNMENT on both sides of `exact`, none above `most`."""
    low = _cut(max(1, int(exact)))
    return [size for size in (low, low // ALIGNMENT * ALIGNMENT + ALIGNMENT) if size <= most]


def _cut(size: int) -> int:
    """The largest multiple of ALIGNMENT within `size`, or what there is of it."""
    return size // ALIGNMENT * ALIGNMENT or size


def _aligned(size: int) -> int:
    """The next multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rounded(box: Box, canvas: Box, *, multiple: int) -> Box:
    """`box` within the canvas, its sides rounded up to `multiple` where the canvas has room."""
    x0, x1 = _span(box.x0, box.x1, canvas.x0, canvas.x1, multiple)
    y0, y1 = _span(box.y0, box.y1, canvas.y0, canvas.y1, multiple)
    return Box(x0, y0, x1, y1)


def _span(low: int, high: int, least: int, most: int, multiple: int) -> tuple[int, int]:
    """[low, high) within [least, most), its length a multiple where that fits."""
    low, high = max(low, least), min(high, most)
    length = -(-(high - low) // multiple) * multiple
    if length > most - least:
        return low, high
    low = max(least, min(low, most - length))
    return low, low + length


def _apply(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rows and columns of weights applied to (H, W[, C]); float64 sums, float32 result."""
    planes = values.astype(np.float64)
    if planes.ndim == 2:
        return np.asarray((rows @ planes @ columns.T).astype(np.float32))
    return np.stack(
        [(rows @ planes[..., c] @ columns.T) for c in range(planes.shape[2])], axis=2
    ).astype(np.float32)


def _area(outputs: int, inputs: int) -> np.ndarray:
    """(outputs, inputs): each output's share of every input it covers; rows sum to 1."""
    edges = np.linspace(0.0, inputs, outputs + 1)
    low, high = edges[:-1, None], edges[1:, None]
    left = np.arange(inputs)[None, :]
    overlap = np.clip(np.minimum(high, left + 1) - np.maximum(low, left), 0.0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True))


def _cubic(outputs: int, inputs: int) -> np.ndarray:
    """(outputs, inputs): Catmull-Rom interpolation at pixel centres; edges repeat."""
    centres = (np.arange(outputs) + 0.5) * inputs / outputs - 0.5
    weights = np.zeros((outputs, inputs))
    base = np.floor(centres).astype(int)
    for offset in (-1, 0, 1, 2):
        distance = np.abs(centres - (base + offset))
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1.0
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4.0 * distance + 2.0
        weight = np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))
        np.add.at(weights, (np.arange(outputs), np.clip(base + offset, 0, inputs - 1)), weight)
    return weights
