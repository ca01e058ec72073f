"""The layout: what is read of the plate, and which part of it each pyramid level keeps.

A level learns from `context_pixels` around the hole, counted in its own pixels: what is coarse sees
far, what is fine stays near, and none costs more than the hole's size asks for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from infusion_engine.media.box import Box
from infusion_engine.media.region import Region, choose_region, surroundings
from infusion_engine.settings import Area, Settings


@dataclass(frozen=True)
class Layout:
    """What is read, and what of it is kept at each size."""

    region: Region
    """The box of the plate that is read, and the size of the finest level's grid."""
    parts: tuple[Box, ...]
    """What each level keeps of its grid, coarsest first, in pixels of the level."""

    @property
    def finest(self) -> Region:
        """The region of the finest level's part, which is what is filled."""
        return self.region.within(self.parts[-1])


def lay_out(hole: Box, hole_pixels: int, canvas: Box, settings: Settings) -> Layout:
    """The layout for a shot.

    Args:
        hole: the smallest box around the hole of every frame.
        hole_pixels: how many pixels the frame misses that misses most.
        canvas: the plate's pixels.
        settings: area, context, working size and the coarsest hole.
    """
    nearest = choose_region(hole, canvas, settings)
    shrunk = nearest.width * nearest.height / (nearest.box.width * nearest.box.height)
    side = math.sqrt(hole_pixels * shrunk)
    if not nearest.is_native:  # a reduced pixel is missing when the hole touches it
        side += 1.0
    count = halvings(side, settings.coarsest_hole_pixels)
    if settings.area is Area.FRAME or not nearest.is_native:
        height, width = nearest.padded
        return Layout(nearest, _grids(height, width, count))
    region = surroundings(hole, canvas, settings.context_pixels << count)
    height, width = region.padded
    near = hole.moved(-region.box.x0, -region.box.y0)
    return Layout(region, _parts(near, _grids(height, width, count), settings.context_pixels))


def halvings(side: float, coarsest_hole_pixels: int) -> int:
    """How often a clip is halved until its hole, of the size of a square, is that small.

    A coarser pixel is missing when the hole touches it, which makes a hole half a pixel wider on
    either side, however coarse. 0 for no limit, and where nothing is missing.

    Args:
        side: of the square, in pixels.
        coarsest_hole_pixels: side that the coarsest level's hole may have.
    """
    count = 0
    if not coarsest_hole_pixels:
        return 0
    while side / 2**count + (1.0 if count else 0.0) > coarsest_hole_pixels and side > 2**count:
        count += 1
    return count


def _grids(height: int, width: int, count: int) -> tuple[Box, ...]:
    """All of each level, coarsest first."""
    sizes = [(height, width)]
    for _ in range(count):
        height, width = -(-height // 2), -(-width // 2)
        sizes.insert(0, (height, width))
    return tuple(Box(0, 0, width, height) for height, width in sizes)


def _parts(hole: Box, grids: tuple[Box, ...], context: int) -> tuple[Box, ...]:
    """The hole and its context at each level, each part lying on the coarser one's pixels."""
    parts: list[Box] = []
    under = hole  # what the part has to hold, in pixels of its level
    for grid in reversed(grids):
        part = hole.grown(context).union(under).intersection(grid)
        part = Box(
            part.x0 - part.x0 % 2,
            part.y0 - part.y0 % 2,
            min(part.x1 + part.x1 % 2, grid.x1),
            min(part.y1 + part.y1 % 2, grid.y1),
        )
        parts.insert(0, part)
        hole, under = hole.halved(), part.halved()
    return tuple(parts)
