"""Box: a rectangle of pixels in the plate's absolute coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """Half-open rectangle [x0, x1) x [y0, y1), in pixels, y downwards as files store it.

    EXR windows are inclusive in the file; they become half-open here, and negative origins live on.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.y1 - self.y0

    @property
    def is_empty(self) -> bool:
        """True when no pixel lies inside."""
        return self.width <= 0 or self.height <= 0

    def union(self, other: Box) -> Box:
        """The smallest box that holds both; an empty box adds nothing."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        return Box(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )

    def intersection(self, other: Box) -> Box:
        """The pixels in both; may be empty."""
        return Box(
            max(self.x0, other.x0),
            max(self.y0, other.y0),
            min(self.x1, other.x1),
            min(self.y1, other.y1),
        )

    def grown(self, pixels: int) -> Box:
        """The box with `pixels` more on each side."""
        return Box(self.x0 - pixels, self.y0 - pixels, self.x1 + pixels, self.y1 + pixels)

    def halved(self) -> Box:
        """The pixels of a grid of half the size that the box touches."""
        return Box(self.x0 // 2, self.y0 // 2, -(-self.x1 // 2), -(-self.y1 // 2))

    def moved(self, x: int, y: int) -> Box:
        """The box, `x` pixels to the right and `y` down."""
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def slices(self, origin: Box) -> tuple[slice, slice]:
        """(rows, columns) of this box in an array whose first pixel is `origin`'s corner."""
        return (
            slice(self.y0 - origin.y0, self.y1 - origin.y0),
            slice(self.x0 - origin.x0, self.x1 - origin.x0),
        )

    def __str__(self) -> str:
        """WIDTHxHEIGHT+X+Y, as compositors write it."""
        return f"{self.width}x{self.height}{self.x0:+d}{self.y0:+d}"

    @staticmethod
    def around(hole: np.ndarray, origin: Box) -> Box:
        """The tightest box around the true pixels of `hole` (H, W), whose corner is `origin`'s."""
        rows = np.flatnonzero(hole.any(axis=1))
        columns = np.flatnonzero(hole.any(axis=0))
        if len(rows) == 0:
            return Box(origin.x0, origin.y0, origin.x0, origin.y0)
        return Box(
            origin.x0 + int(columns[0]),
            origin.y0 + int(rows[0]),
            origin.x0 + int(columns[-1]) + 1,
            origin.y0 + int(rows[-1]) + 1,
        )
