"""The camera's path: where every frame of a shot lies in one steady picture, and the way back.

A shot whose camera pans is worked on as if it stood: what is behind the matte then lies in one
place in all frames, where other frames have seen it. Outside of a frame nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infusion_engine.media.box import Box
from infusion_engine.media.warp import Floats, sampled

_SEEN_AROUND = 2
"""Pixels that a cubic looks at to either side."""


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Where each frame lies. Coordinates are absolute ones, of the middles of pixels."""

    matrices: Mapping[int, Floats]
    """(3, 3) by frame: (x, y, 1) of the steady picture to the plate's."""
    canvas: Box
    """The steady picture's pixels: all that any frame shows of it."""

    def steady(
        self, frame: int, pixels: np.ndarray, usable: np.ndarray, canvas: Box, box: Box
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """A part of the steady picture as one frame shows it.

        Args:
            frame: which.
            pixels: its plate (H, W, 3), on `canvas`.
            usable: (H, W), what of it may be looked at.
            canvas: the plate's pixels.
            box: of the steady picture.

        Returns:
            (h, w, 3) float32 in the box, 0 where not known, and what is known (h, w).
        """
        x, y = _through(self.matrices[frame], box)
        return sampled(pixels, usable, y - canvas.y0, x - canvas.x0)

    def seen(self, frame: int, rgb: np.ndarray, region: Box, box: Box) -> npt.NDArray[np.float32]:
        """A part of a frame, (h, w, 3), from what fills the steady picture.

        Args:
            frame: which.
            rgb: (H, W, 3), the steady picture in `region`; beyond it its border goes on.
            region: of the steady picture.
            box: of the plate.
        """
        x, y = _through(_back(self.matrices[frame]), box)
        rows = (y - region.y0).clip(0, region.height - 1) + _SEEN_AROUND
        columns = (x - region.x0).clip(0, region.width - 1) + _SEEN_AROUND
        border = ((_SEEN_AROUND, _SEEN_AROUND), (_SEEN_AROUND, _SEEN_AROUND), (0, 0))
        wide = np.pad(rgb, border, mode="edge")
        values, _ = sampled(wide, np.ones(wide.shape[:2], np.bool_), rows, columns)
        return values

    def steady_box(self, frame: int, box: Box) -> Box:
        """What a box of one frame covers of the steady picture; empty where the box is."""
        if box.is_empty:
            return Box(self.canvas.x0, self.canvas.y0, self.canvas.x0, self.canvas.y0)
        return around(_back(self.matrices[frame]), box).grown(_SEEN_AROUND)

    def hole(self, holes: Mapping[int, Box]) -> Box:
        """The smallest box of the steady picture that holds the hole of every frame."""
        whole = Box(0, 0, 0, 0)
        for frame, box in holes.items():
            whole = whole.union(self.steady_box(frame, box))
        return whole.intersection(self.canvas) if not whole.is_empty else whole


def path_of(matrices: Mapping[int, Floats], canvas: Box) -> CameraPath:
    """The path of a camera whose frames (each with pixels in `canvas`) are found by `matrices`."""
    whole = Box(0, 0, 0, 0)
    for matrix in matrices.values():
        whole = whole.union(around(_back(matrix), canvas))
    return CameraPath(matrices, whole)


def around(matrix: Floats, box: Box) -> Box:
    """The pixels that hold where a homography carries a box's pixels."""
    x = np.array([box.x0, box.x1 - 1, box.x0, box.x1 - 1], np.float64)
    y = np.array([box.y0, box.y0, box.y1 - 1, box.y1 - 1], np.float64)
    across, down, depth = matrix @ np.stack([x, y, np.ones(4)])
    across, down = across / depth, down / depth
    return Box(
        math.floor(across.min()),
        math.floor(down.min()),
        math.ceil(across.max()) + 1,
        math.ceil(down.max()) + 1,
    )


def _back(matrix: Floats) -> Floats:
    """The other way."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _through(matrix: Floats, box: Box) -> tuple[Floats, Floats]:
    """(x, y), each (h, w): where a homography carries the pixels of a box."""
    x, y = np.meshgrid(
        np.arange(box.x0, box.x1, dtype=np.float64), np.arange(box.y0, box.y1, dtype=np.float64)
    )
    (a, b, c), (d, e, f), (g, h, i) = matrix
    depth = g * x + h * y + i
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
