"""The contact sheet: a PNG of plate, matte outline and fill at a few frames, for looking at.

One row a frame. Columns: the whole plate with the matte outlined, the whole result, the matte's
surroundings close up in the result, in further takes, and in the truth where there is one. Small
frames are enlarged by a whole number so that pixels stay square; large ones are reduced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from infusion_engine.media.atomic import replacing
from infusion_engine.media.box import Box
from infusion_engine.media.display import to_display

__all__ = ["SheetFrame", "chosen_frames", "contact_sheet", "to_display"]

Picture = npt.NDArray[np.uint8]

CELL = 640
"""Pixels that a picture is wide at most, and a whole frame high."""
CLOSE = 400
"""Pixels that a close-up is high at most."""
CONTEXT = 24
"""Plate pixels shown around the matte in the close-up."""
GAP = 8
LABEL = 18
PAPER = (24, 24, 24)
INK = (208, 208, 208)
OUTLINE = (0, 230, 255)


@dataclass(frozen=True, eq=False)
class SheetFrame:
    """One row: arrays of one size, already in display values (see `to_display`)."""

    frame: int
    """Frame number, written beside the row."""
    plate: npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1], the plate as it was."""
    fill: npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1], the plate with the fill in it."""
    matte: npt.NDArray[np.float32]
    """(H, W) in [0, 1], the matte as used; hole = matte > 0."""
    truth: npt.NDArray[np.float32] | None = None
    """(H, W, 3) in [0, 1], what was really behind, where anyone knows."""
    further_takes: tuple[npt.NDArray[np.float32], ...] = ()
    """Like fill, one for each take after the first; as many in every row."""


def chosen_frames(frames: Sequence[int], most: int = 4) -> tuple[int, ...]:
    """At most `most` of `frames`, evenly spread, the first and the last among them."""
    if len(frames) <= most:
        return tuple(frames)
    places = np.linspace(0, len(frames) - 1, most).round().astype(int)
    return tuple(frames[place] for place in places)


def contact_sheet(rows: Sequence[SheetFrame], path: Path) -> None:
    """Write the sheet as a PNG, under a temporary name first, so that it is never half there.

    `rows` holds at least one frame, all of one size.

    Raises:
        StorageError: the file cannot be written.
    """
    close = _close_size(rows)
    titles = ["plate, matte outlined", "fill", "fill, close"]
    titles += [f"take {number}, close" for number, _ in enumerate(rows[0].further_takes, start=2)]
    if any(row.truth is not None for row in rows):
        titles.append("truth, close")
    cells = [_cells(row, close) for row in rows]
    widths = [max(row[i].shape[1] for row in cells if i < len(row)) for i in range(len(titles))]
    heights = [LABEL + max(cell.shape[0] for cell in row) + GAP for row in cells]

    sheet = Image.new(
        "RGB", (GAP + sum(width + GAP for width in widths), GAP + sum(heights)), PAPER
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    top = GAP
    for row, pictures, height in zip(rows, cells, heights, strict=True):
        left = GAP
        for title, picture, width in zip(titles, pictures, widths, strict=False):
            draw.text((left, top), f"{row.frame}  {title}", fill=INK, font=font)
            sheet.paste(Image.fromarray(picture), (left, top + LABEL))
            left += width + GAP
        top += height
    with replacing(path) as partial:
        sheet.save(partial, format="PNG")


def _cells(row: SheetFrame, close: tuple[int, int]) -> list[Picture]:
    """The row's pictures from left to right, each (h, w, 3) uint8."""
    box = _close_box(row.matte, close)
    rows, columns = box.slices(Box(0, 0, row.matte.shape[1], row.matte.shape[0]))
    cells = [
        _outlined(_fitted(row.plate, CELL), row.matte > 0),
        _fitted(row.fill, CELL),
        _fitted(row.fill[rows, columns], CLOSE),
        *(_fitted(take[rows, columns], CLOSE) for take in row.further_takes),
    ]
    if row.truth is not None:
        cells.append(_fitted(row.truth[rows, columns], CLOSE))
    return cells


def _close_size(rows: Sequence[SheetFrame]) -> tuple[int, int]:
    """(width, height) of a close-up that holds every row's hole with its context."""
    height, width = rows[0].matte.shape
    frame = Box(0, 0, width, height)
    boxes = [Box.around(row.matte > 0, frame) for row in rows]
    return (
        min(width, max(box.width for box in boxes) + 2 * CONTEXT),
        min(height, max(box.height for box in boxes) + 2 * CONTEXT),
    )


def _close_box(matte: npt.NDArray[np.float32], size: tuple[int, int]) -> Box:
    """A box of `size` centred on the hole (on the frame without one) and moved inside the frame."""
    height, width = matte.shape
    frame = Box(0, 0, width, height)
    around = Box.around(matte > 0, frame)
    centred = frame if around.is_empty else around
    x0 = min(max((centred.x0 + centred.x1 - size[0]) // 2, 0), width - size[0])
    y0 = min(max((centred.y0 + centred.y1 - size[1]) // 2, 0), height - size[1])
    return Box(x0, y0, x0 + size[0], y0 + size[1])


def _fitted(pixels: npt.NDArray[np.float32], most: int) -> Picture:
    """(h, w, 3) in [0, 1] as uint8, made to fit CELL pixels across and `most` pixels down.

    Small pictures are enlarged a whole number of times, large ones are averaged down.
    """
    picture = (np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    height, width = picture.shape[:2]
    zoom = min(CELL // width, most // height)
    if zoom >= 1:
        return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    scale = min(CELL / width, most / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def _outlined(picture: Picture, hole: npt.NDArray[np.bool_]) -> Picture:
    """The picture with a one-pixel line just outside the hole, which may be of another size."""
    height, width = picture.shape[:2]
    rows = np.arange(height) * hole.shape[0] // height
    columns = np.arange(width) * hole.shape[1] // width
    shown = hole[np.ix_(rows, columns)]
    line = ndimage.binary_dilation(shown) & ~shown
    out = picture.copy()
    out[line] = OUTLINE
    return out
