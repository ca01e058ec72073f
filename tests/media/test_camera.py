"""The camera's path: frames lie in one steady picture, and a fill comes back to its frame."""

from __future__ import annotations

import numpy as np
import pytest

from infusion_engine.media.box import Box
from infusion_engine.media.camera import CameraPath, around, path_of
from infusion_engine.media.warp import Floats

CANVAS = Box(-6, 3, 34, 27)
"""A plate of 40 x 24 pixels whose corner is no origin."""


def shifted(across: float, down: float) -> Floats:
    """Steady places to a frame's, of a camera that has gone the other way."""
    return np.array([[1.0, 0.0, across], [0.0, 1.0, down], [0.0, 0.0, 1.0]])


def path() -> CameraPath:
    """Three frames of a pan to the right: what stands goes to the left."""
    return path_of({1: shifted(4, 0), 2: shifted(0, 0), 3: shifted(-5, 2)}, CANVAS)


def scene(box: Box) -> np.ndarray:
    """(h, w, 3): the steady picture in a box, each pixel told from any other."""
    y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1]
    return np.stack([x, y, 0.01 * x * y], axis=2).astype(np.float32)


def frame(number: int) -> np.ndarray:
    """What a frame shows of it."""
    there = around(np.asarray(np.linalg.inv(path().matrices[number]), np.float64), CANVAS)
    return scene(there)


def test_the_steady_picture_holds_every_frame() -> None:
    """And no row or column more."""
    assert path().canvas == Box(-10, 1, 39, 27)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_frame_lies_where_it_was_seen(number: int) -> None:
    """Its pixels at their places of the steady picture, and nothing known beyond them."""
    values, known = path().steady(
        number, frame(number), np.ones((24, 40), np.bool_), CANVAS, path().canvas
    )
    assert known.sum() == 24 * 40
    np.testing.assert_array_equal(values[known], scene(path().canvas)[known])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_fill_comes_back_to_the_frame(number: int) -> None:
    """What stands in the steady picture is seen where the frame shows it."""
    hole = Box(4, 10, 12, 20)
    seen = path().seen(number, scene(path().canvas), path().canvas, hole)
    y, x = hole.slices(CANVAS)
    np.testing.assert_allclose(seen, frame(number)[y, x], rtol=1e-6)


def test_the_border_of_what_was_filled_goes_on() -> None:
    """A cubic that looks past it is not met by black."""
    half = path_of({1: shifted(0.5, 0.5)}, CANVAS)
    region = Box(0, 5, 10, 15)
    flat = np.full((10, 10, 3), 7.0, np.float32)
    assert (half.seen(1, flat, region, Box(-2, 3, 14, 18)) == 7.0).all()


def test_the_hole_of_all_frames_is_boxed_in_the_steady_picture() -> None:
    """Where each frame's hole lies there, with what a cubic looks at, and within the picture."""
    holes = {1: Box(4, 10, 12, 20), 2: Box(0, 0, 0, 0), 3: Box(30, 24, 34, 27)}
    assert path().steady_box(2, holes[2]).is_empty
    assert path().hole(holes) == Box(0 - 2, 10 - 2, 39, 27)
    assert path().hole({1: Box(0, 0, 0, 0)}).is_empty


def test_a_turned_box_is_held_whole() -> None:
    """All four corners."""
    turn = np.array([[0.8, -0.6, 1.0], [0.6, 0.8, 2.0], [0.0, 0.0, 1.0]])
    box = Box(0, 0, 11, 21)
    found = around(turn, box)
    for x, y in ((0, 0), (10, 0), (0, 20), (10, 20)):
        across, down, _ = turn @ (x, y, 1.0)
        assert found.x0 <= across <= found.x1 - 1
        assert found.y0 <= down <= found.y1 - 1
    assert found == Box(-11, 2, 9 + 1, 24 + 1)
