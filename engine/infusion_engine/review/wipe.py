"""The wipe: plate and fill of the same frame as two pictures, for a slider to go between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infusion_engine.media.box import Box
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot
from infusion_engine.review.close_up import close_box, close_size
from infusion_engine.review.contact_sheet import chosen_frames
from infusion_engine.review.picture import picture_of, reduced, save_jpeg
from infusion_engine.review.shown import Shown, shown

MOST_FRAMES = 120
"""Frames that a wipe holds; of a longer shot some are left out, evenly spread."""
_CLOSE = (1024, 1024)
_WHOLE = (1280, 720)


@dataclass(frozen=True)
class WipeFrame:
    """One frame of a wipe; paths are relative to the folder that it was written to."""

    frame: int
    """Its number."""
    close: tuple[str, str]
    """(plate, fill): the surroundings of the whole shot's hole, pixel for pixel if they fit."""
    whole: tuple[str, str]
    """(plate, fill): the whole frame, reduced if it is large."""


def write_wipe(
    shot: Shot,
    holes: Mapping[int, Box],
    fill_of: Callable[[int], Fill | None],
    folder: Path,
    *,
    on_frame: Callable[[int, int], None],
) -> tuple[WipeFrame, ...]:
    """Write the pictures of a wipe.

    The close-up stands still over the shot, so that its frames can be played.

    Args:
        shot: the plate and its matte.
        holes: the box around each written frame's hole.
        fill_of: the fill of a frame.
        folder: where the pictures go.
        on_frame: called with (frames done, frames).

    Returns:
        The frames in their order; none where there is no hole in any of them.

    Raises:
        FrameError: a frame's pixels are damaged.
        StorageError: a picture cannot be written.
    """
    around = Box(0, 0, 0, 0)
    for hole in holes.values():
        around = around.union(hole)
    if around.is_empty:
        return ()
    box = close_box(around, shot.canvas, close_size([around], shot.canvas))
    frames = chosen_frames(sorted(holes), MOST_FRAMES)
    found = []
    for done, frame in enumerate(frames, start=1):
        seen = shown(shot, frame, fill_of(frame))
        close = _pair(seen.cut(box, shot.canvas), folder, f"close.{frame:04d}", _CLOSE)
        whole = _pair(seen, folder, f"whole.{frame:04d}", _WHOLE)
        found.append(WipeFrame(frame, close, whole))
        on_frame(done, len(frames))
    return tuple(found)


def _pair(seen: Shown, folder: Path, name: str, most: tuple[int, int]) -> tuple[str, str]:
    """Write plate and fill; their file names."""
    plate, fill = f"{name}.plate.jpg", f"{name}.fill.jpg"
    across, down = most
    save_jpeg(reduced(picture_of(seen.plate), across=across, down=down), folder / plate)
    save_jpeg(reduced(picture_of(seen.fill), across=across, down=down), folder / fill)
    return plate, fill
