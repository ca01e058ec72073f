"""Tests of the contact sheet, by the pixels of the PNG."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from infusion_engine.errors import StorageError
from infusion_engine.review.contact_sheet import (
    CELL,
    CLOSE,
    GAP,
    LABEL,
    OUTLINE,
    SheetFrame,
    chosen_frames,
    contact_sheet,
)

PLATE, FILL, TRUTH = 0.2, 0.6, 0.8


def _row(
    frame: int = 1001, *, height: int = 36, width: int = 48, hole: bool = True, truth: bool = False
) -> SheetFrame:
    """Grey pictures, each with its own grey, and a hole of 10x8 pixels."""
    matte = np.zeros((height, width), np.float32)
    if hole:
        matte[20:28, 30:40] = 0.5

    def grey(value: float) -> npt.NDArray[np.float32]:
        return np.full((height, width, 3), value, np.float32)

    return SheetFrame(frame, grey(PLATE), grey(FILL), matte, grey(TRUTH) if truth else None)


def _sheet(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture)


def _cell(
    sheet: npt.NDArray[np.uint8], column: int, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The (height, width) picture in that column of the first row, if all columns are as wide."""
    top, left = GAP + LABEL, GAP + column * (size[1] + GAP)
    return sheet[top : top + size[0], left : left + size[1]]


def test_the_matte_is_outlined_from_outside(tmp_path: Path) -> None:
    """The line runs around the enlarged hole and covers none of its pixels."""
    contact_sheet([_row()], tmp_path / "sheet.png")
    plate = _cell(_sheet(tmp_path / "sheet.png"), 0, (468, 624))
    line = (plate == OUTLINE).all(-1)
    rows, columns = np.nonzero(line)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (259, 364, 389, 520)
    assert not line[260:364, 390:520].any()
    np.testing.assert_array_equal(plate[~line], 51)


def test_the_fill_is_shown_whole_and_pixel_for_pixel(tmp_path: Path) -> None:
    """A small frame is enlarged a whole number of times, without any interpolation."""
    row = _row()
    ramp = np.linspace(0, 1, 36 * 48 * 3, dtype=np.float32).reshape(36, 48, 3)
    contact_sheet([SheetFrame(1, row.plate, ramp, row.matte)], tmp_path / "sheet.png")
    shown = _cell(_sheet(tmp_path / "sheet.png"), 1, (468, 624))
    expected = (ramp * 255 + 0.5).astype(np.uint8).repeat(13, 0).repeat(13, 1)
    np.testing.assert_array_equal(shown, expected)


def test_further_takes_stand_beside_the_first(tmp_path: Path) -> None:
    """A close-up each, between the first one's and the truth."""
    row = _row(truth=True)
    takes = tuple(np.full_like(row.fill, value) for value in (0.4, 1.0))
    sheet = tmp_path / "sheet.png"
    contact_sheet([dataclasses.replace(row, further_takes=takes)], sheet)
    with_takes = _sheet(sheet)
    contact_sheet([row], sheet)
    alone = _sheet(sheet)

    # Close-ups are narrower than the whole pictures: all of them end at the sheet's right edge.
    cell = (with_takes.shape[1] - alone.shape[1]) // len(takes)
    middle = LABEL + GAP + 100
    greys = [with_takes[middle, -GAP - cell * n + cell // 2, 0] for n in (4, 3, 2, 1)]
    assert greys == [153, 102, 255, 204]


def test_the_close_up_shows_the_hole_of_a_large_frame(tmp_path: Path) -> None:
    """In a frame that has to be reduced, the matte's surroundings still stand pixel for pixel."""
    height, width = 900, 1600
    matte = np.zeros((height, width), np.float32)
    matte[400:480, 1500:1590] = 1.0
    fill = np.random.default_rng(2).integers(0, 256, (height, width, 3)) / 255.0
    row = SheetFrame(1, np.zeros_like(fill), fill.astype(np.float32), matte)
    contact_sheet([row], tmp_path / "sheet.png")
    sheet = _sheet(tmp_path / "sheet.png")
    top, left = GAP + LABEL, GAP + 2 * (CELL + GAP)
    zoom = CLOSE // 128  # 90 pixels of hole and 24 of context on each side, moved into the frame
    close = sheet[top : top + 128 * zoom : zoom, left : left + 138 * zoom : zoom]
    np.testing.assert_array_equal(close, np.round(fill[376:504, 1462:1600] * 255))


def test_the_truth_has_a_column_where_it_is_known(tmp_path: Path) -> None:
    """A fourth column appears with the truth and only with it."""
    contact_sheet([_row()], tmp_path / "three.png")
    contact_sheet([_row(truth=True)], tmp_path / "four.png")
    three, four = _sheet(tmp_path / "three.png"), _sheet(tmp_path / "four.png")
    assert four.shape[1] - three.shape[1] == 11 * 48 + GAP
    assert (four[100:200, -GAP - 100 : -GAP] == 204).all()


def test_each_frame_has_a_row_with_its_own_number(tmp_path: Path) -> None:
    """Rows follow one another; two numbers make two different labels."""
    contact_sheet([_row(1001), _row(1048, hole=False)], tmp_path / "sheet.png")
    sheet = _sheet(tmp_path / "sheet.png")
    height = LABEL + 468 + GAP
    assert sheet.shape[0] == GAP + 2 * height
    first, second = sheet[GAP : GAP + LABEL], sheet[GAP + height : GAP + height + LABEL]
    assert (first != second).any()
    assert (first.max(), second.max()) == (208, 208)


def test_frames_without_any_hole_make_a_sheet_too(tmp_path: Path) -> None:
    """An empty matte is a normal frame: no outline, and the close-up is the frame's middle."""
    contact_sheet([_row(hole=False)], tmp_path / "sheet.png")
    assert not (_sheet(tmp_path / "sheet.png") == OUTLINE).all(-1).any()


def test_a_sheet_replaces_the_one_before_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The folder is made, and holds the sheet alone after two runs."""
    path = tmp_path / "new" / "sheet.png"
    contact_sheet([_row()], path)
    contact_sheet([_row(truth=True)], path)
    assert [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]
    assert _sheet(path).shape[1] > 3 * 624


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where a folder is needed gives a storage error that names the sheet."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"sheet\.png"):
        contact_sheet([_row()], tmp_path / "file" / "sheet.png")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, ()), (1, (1001,)), (4, (1001, 1002, 1003, 1004)), (48, (1001, 1017, 1032, 1048))],
)
def test_chosen_frames_are_spread_from_first_to_last(count: int, expected: tuple[int, ...]) -> None:
    """Few frames are all shown; of many, evenly spread ones with both ends."""
    assert chosen_frames(range(1001, 1001 + count)) == expected
