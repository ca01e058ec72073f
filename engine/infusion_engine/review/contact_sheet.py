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

from infusion_engine.media.atomic import replacing
from infusion_engine.media.box import Box
from infusion_engine.media.display import to_display
from infusion_engine.review.close_up import close_box, close_size
from infusion_engine.review.picture import OUTLINE, Picture, fitted, outlined, picture_of

__all__ = ["OUTLINE", "SheetFrame", "chosen_frames", "contact_sheet", "to_display"]

CELL = 640
"""Pixels that a picture is wide at most, and a whole frame high."""
CLOSE = 400
"""Pixels that a close-up is high at most."""
GAP = 8
LABEL = 18
PAPER = (24, 24, 24)
INK = (208, 208, 208)


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
    close = close_size(map(_hole, rows), _frame(rows[0]))
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
    frame = _frame(row)
    rows, columns = close_box(_hole(row), frame, close).slices(frame)
    cells = [
        outlined(_fitted(row.plate, CELL), row.matte > 0),
        _fitted(row.fill, CELL),
        _fitted(row.fill[rows, columns], CLOSE),
        *(_fitted(take[rows, columns], CLOSE) for take in row.further_takes),
    ]
    if row.truth is not None:
        cells.append(_fitted(row.truth[rows, columns], CLOSE))
    return cells


def _frame(row: SheetFrame) -> Box:
    """The whole picture."""
    height, width = row.matte.shape
    return Box(0, 0, width, height)


def _hole(row: SheetFrame) -> Box:
    """The tightest box around the row's hole."""
    return Box.around(row.matte > 0, _frame(row))


def _fitted(pixels: npt.NDArray[np.float32], most: int) -> Picture:
    """(h, w, 3) in [0, 1] as pixels that fit CELL across and `most` down."""
    return fitted(picture_of(pixels), across=CELL, down=most)
