"""The contact sheet of a shot: chooses its frames, reads them again, and has them drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infusion_engine.media.box import Box
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot
from infusion_engine.review.contact_sheet import SheetFrame, chosen_frames, contact_sheet
from infusion_engine.review.shown import shown

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
    seen = [shown(shot, frame, fill) for fill in fills[:MOST_TAKES]]
    return SheetFrame(
        frame=frame,
        plate=seen[0].plate,
        fill=seen[0].fill,
        matte=seen[0].matte,
        further_takes=tuple(one.fill for one in seen[1:]),
    )
