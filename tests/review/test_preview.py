"""Tests of the preview, by its pixels."""

from __future__ import annotations

import numpy as np

from infusion_engine.media.box import Box
from infusion_engine.media.shot import Shot
from infusion_engine.review.onlooker import FillOf
from infusion_engine.review.picture import OUTLINE
from infusion_engine.review.preview import CELL, fill_strip, plate_strip, preview_boxes

WIDE, HIGH = 10 + 48, 8 + 48  # the hole and 24 pixels on each side
ZOOM = CELL // WIDE


def test_boxes_follow_the_hole_and_are_of_one_size(shot: Shot, holes: dict[int, Box]) -> None:
    """First, middle and last of the frames with a hole, each with the hole in its middle."""
    boxes = preview_boxes(holes, shot.canvas)
    assert list(boxes) == [1001, 1003, 1004]
    assert {(box.width, box.height) for box in boxes.values()} == {(WIDE, HIGH)}
    assert [box.x0 - holes[frame].x0 for frame, box in boxes.items()] == [-24, -24, -24]


def test_a_shot_without_holes_has_no_preview(shot: Shot) -> None:
    """There is nothing to look at."""
    empty = Box(0, 0, 0, 0)
    assert preview_boxes(dict.fromkeys(shot.frames, empty), shot.canvas) == {}


def test_the_fill_stands_in_the_hole_and_the_plate_around_it(
    shot: Shot, holes: dict[int, Box], fill_of: FillOf
) -> None:
    """Pixel for pixel, enlarged a whole number of times, each frame in its own cell."""
    strip = fill_strip(shot, preview_boxes(holes, shot.canvas), fill_of)
    assert strip.shape == (HIGH * ZOOM, 3 * WIDE * ZOOM + 2 * 6, 3)
    for cell, grey in enumerate((10, 30, 40)):
        left = cell * (WIDE * ZOOM + 6)
        small = strip[::ZOOM, left : left + WIDE * ZOOM : ZOOM]
        expected = np.full((HIGH, WIDE, 3), grey)
        expected[24:32, 24:34] = 255
        np.testing.assert_array_equal(small, expected)


def test_the_plate_is_shown_as_it_was_with_the_matte_outlined(
    shot: Shot, holes: dict[int, Box]
) -> None:
    """Of the same size as the fill's strip, so that the eye can go from one to the other."""
    strip = plate_strip(shot, preview_boxes(holes, shot.canvas))
    assert strip.shape == (HIGH * ZOOM, 3 * WIDE * ZOOM + 2 * 6, 3)
    cell = strip[:, : WIDE * ZOOM]
    line = (cell == OUTLINE).all(-1)
    assert line.any()
    assert (cell[~line] == 10).all()
