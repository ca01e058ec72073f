"""The contact sheet of a shot: chooses its frames, reads them again, and has them drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infusion_engine.media.box import Box
from infusion_engine.media.display import to_display
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot
from infusion_engine.review.contact_sheet import SheetFrame, chosen_frames, contact_sheet

MOST_TAKES = 4
"""Takes that are shown beside each other; more would make pictures nobody can look at."""


def write_sheet(
    shot: Shot,
    holes: Mapping[int, Box],
    fills_of: Callable[[int], Sequence[Fill | None]],
    path: Path,
) -> None:
    """Draw plate, matte and fill of a few of the shot's frames into a PNG.

    Args:
        shot: the plate and its matte.
        holes: the box around each written frame's hole; frames with one are preferred.
        fills_of: the fill of a frame in every take; of several takes the first four are shown.
        path: the PNG.

    Raises:
        StorageError: `path` cannot be written.
    """
    frames = [frame for frame, box in holes.items() if not box.is_empty] or list(shot.frames)
    contact_sheet([_row(shot, frame, fills_of(frame)) for frame in chosen_frames(frames)], path)


def _row(shot: Shot, frame: int, fills: Sequence[Fill | None]) -> SheetFrame:
    """One frame as it was and as it became, in display values."""
    plate = to_display(shot.read_plate(frame).pixels, shot.transfer)
    matte = shot.read_matte(frame)
    shown = [_filled(shot, plate, matte, fill) for fill in fills[:MOST_TAKES]]
    return SheetFrame(
        frame=frame, plate=plate, fill=shown[0], matte=matte, further_takes=tuple(shown[1:])
    )


def _filled(
    shot: Shot, plate: NDArray[np.float32], matte: NDArray[np.float32], fill: Fill | None
) -> NDArray[np.float32]:
    """(H, W, 3) display values of the plate with a fill in it."""
    shown = plate.copy()
    if fill is not None:
        place = fill.box.slices(shot.canvas)
        alpha = matte[place][..., None]
        filled = to_display(fill.rgb, shot.transfer)
        # Where the matte is empty the plate stays, whatever it is made of.
        shown[place] = np.where(
            alpha > 0, filled * alpha + plate[place] * (1 - alpha), plate[place]
        )
    return shown
