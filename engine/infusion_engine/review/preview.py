"""The preview: the hole's surroundings in a few frames side by side, after each interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from infusion_engine.media.box import Box
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot
from infusion_engine.review.close_up import close_box, close_size
from infusion_engine.review.contact_sheet import PAPER, chosen_frames
from infusion_engine.review.picture import Picture, fitted, outlined, picture_of
from infusion_engine.review.shown import shown

FRAMES = 3
"""Frames in a preview: first, middle and last of those with a hole."""
CELL = 360
"""Pixels that each is wide and high at most."""
_GAP = 6


def preview_boxes(holes: Mapping[int, Box], canvas: Box) -> dict[int, Box]:
    """What to show of which frame: boxes of one size, in the plate's coordinates.

    Args:
        holes: the box around each frame's hole; frames without one are left out.
        canvas: the plate's pixels.
    """
    seen = {frame: box for frame, box in holes.items() if not box.is_empty}
    frames = chosen_frames(sorted(seen), FRAMES)
    if not frames:
        return {}
    size = close_size((seen[frame] for frame in frames), canvas)
    return {frame: close_box(seen[frame], canvas, size) for frame in frames}


def plate_strip(shot: Shot, boxes: Mapping[int, Box]) -> Picture:
    """The plate with the matte outlined, as `fill_strip` shows the fill.

    Raises:
        FrameError: a frame's pixels are damaged.
    """
    cells = []
    for frame, box in boxes.items():
        seen = shown(shot, frame, None).cut(box, shot.canvas)
        picture = fitted(picture_of(seen.plate), across=CELL, down=CELL)
        cells.append(outlined(picture, seen.matte > 0))
    return _side_by_side(cells)


def fill_strip(
    shot: Shot, boxes: Mapping[int, Box], fill_of: Callable[[int], Fill | None]
) -> Picture:
    """Each frame's box of the plate with the fill in it, side by side: (h, w, 3).

    Raises:
        FrameError: a frame's pixels are damaged.
    """
    cells = []
    for frame, box in boxes.items():
        seen = shown(shot, frame, fill_of(frame)).cut(box, shot.canvas)
        cells.append(fitted(picture_of(seen.fill), across=CELL, down=CELL))
    return _side_by_side(cells)


def _side_by_side(cells: Sequence[Picture]) -> Picture:
    """Pictures of one size from left to right with gaps between them."""
    gap = np.full((cells[0].shape[0], _GAP, 3), PAPER, np.uint8)
    parts = [cells[0]]
    for cell in cells[1:]:
        parts += [gap, cell]
    return np.concatenate(parts, axis=1)
