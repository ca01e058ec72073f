"""The contact sheet of a shot: chooses its frames, reads them again, and has them drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from infusion_engine.media.box import Box
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot
from infusion_engine.review.contact_sheet import SheetFrame, chosen_frames, contact_sheet
from infusion_engine.review.shown import shown


def write_sheet(
    shot: Shot, holes: Mapping[int, Box], fill_of: Callable[[int], Fill | None], path: Path
) -> None:
    """Draw plate, matte and fill of a few of the shot's frames into a PNG.

    Args:
        shot: the plate and its matte.
        holes: the box around each written frame's hole; frames with one are preferred.
        fill_of: the fill of a frame.
        path: the PNG.

    Raises:
        StorageError: `path` cannot be written.
    """
    frames = [frame for frame, box in holes.items() if not box.is_empty] or list(shot.frames)
    contact_sheet([_row(shot, frame, fill_of(frame)) for frame in chosen_frames(frames)], path)


def _row(shot: Shot, frame: int, fill: Fill | None) -> SheetFrame:
    """One frame as it was and as it became, in display values."""
    seen = shown(shot, frame, fill)
    return SheetFrame(frame=frame, plate=seen.plate, fill=seen.fill, matte=seen.matte)
