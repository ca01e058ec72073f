"""Registration: a homography is found to a part of a pixel, whatever else moves in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from infusion_engine.media.registration import Picture, registered
from infusion_engine.media.warp import Floats, sampled

SIZE = (90, 140)
ROOM = 30
"""Pixels of the scene beyond a picture, on each side."""
SHIFT = np.array([[1.0, 0.0, 3.4], [0.0, 1.0, -2.3], [0.0, 0.0, 1.0]])
TURN = np.array([[0.997, -0.02, 4.0], [0.018, 1.004, -1.5], [2e-5, -3e-5, 1.0]])
SLOW = np.array([[1.0, 0.0, 0.4], [0.0, 1.0, 0.1], [0.0, 0.0, 1.0]])


def scene(seed: int) -> np.ndarray:
    """(H, W) texture of all sizes from 0 to 1, larger than a picture."""
    rng = np.random.default_rng(seed)
    size = tuple(side + 2 * ROOM for side in SIZE)
    layers = [gaussian_filter(rng.standard_normal(size), radius) for radius in (1.0, 4.0)]
    field = sum(layer / layer.std() for layer in layers)
    return np.asarray(0.5 + 0.12 * field)


def seen(place: np.ndarray, matrix: Floats) -> np.ndarray:
    """(H, W): a picture in which what lies at (x, y) comes to lie where `matrix` says."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    across, down, depth = np.linalg.inv(matrix) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    rows, columns = (v.reshape(SIZE) / depth.reshape(SIZE) + ROOM for v in (down, across))
    values, known = sampled(place[..., None], np.ones(place.shape, np.bool_), rows, columns)
    assert known.all()
    return values[..., 0].astype(np.float64)


def off(found: Floats, matrix: Floats, *, most_x: int = SIZE[1]) -> float:
    """Pixels by which a homography misses at most, up to some column."""
    corners = np.array([[5, most_x - 5, 5, most_x - 5], [5, 5, SIZE[0] - 5, SIZE[0] - 5]])
    points = np.vstack([corners, np.ones(4)])
    ends = [(m @ points)[:2] / (m @ points)[2] for m in (found, matrix)]
    return float(np.abs(ends[0] - ends[1]).max())


def whole(values: np.ndarray) -> Picture:
    """All of it is known."""
    return Picture.of(values, np.ones(SIZE, np.bool_))


@pytest.mark.parametrize(
    "matrix", [np.eye(3), SLOW, SHIFT, TURN], ids=["none", "slow", "shift", "turn"]
)
def test_a_homography_is_found(matrix: Floats) -> None:
    """To a tenth of a pixel at the corners, from nothing to start with."""
    found = registered(whole(seen(scene(0), np.eye(3))), whole(seen(scene(0), matrix)), np.eye(3))
    assert found is not None
    assert off(found.matrix, matrix) < 0.1
    assert found.overlap > 0.8 * SIZE[0] * SIZE[1]


def test_what_moves_by_itself_has_no_say() -> None:
    """A right half that goes another way, and a left one that the camera moves."""
    half = SIZE[1] // 2
    first, second = seen(scene(0), np.eye(3)), seen(scene(0), SHIFT)
    first[:, half:] = seen(scene(1), np.eye(3))[:, half:]
    second[:, half:] = seen(scene(1), np.linalg.inv(SHIFT))[:, half:]
    found = registered(whole(first), whole(second), SLOW)
    assert found is not None
    assert off(found.matrix, SHIFT, most_x=half) < 0.3


def test_what_is_hidden_is_not_looked_at() -> None:
    """The same matrix to the bit, whatever stands there."""
    known = np.ones(SIZE, np.bool_)
    known[30:60, 40:90] = False
    found = []
    for poison in (0.0, 1e6, np.nan):
        pictures = []
        for matrix in (np.eye(3), SHIFT):
            values = seen(scene(0), matrix)
            values[~known] = poison
            pictures.append(Picture.of(values, known))
        one = registered(pictures[0], pictures[1], np.eye(3))
        assert one is not None
        found.append(one.matrix.tobytes())
    assert len(set(found)) == 1


def test_two_places_are_not_registered() -> None:
    """None, in place of some matrix that would be believed."""
    rng = np.random.default_rng(5)
    one, other = (whole(0.5 + 0.2 * rng.standard_normal(SIZE)) for _ in range(2))
    assert registered(one, other, np.eye(3)) is None


def test_nothing_is_found_where_all_is_hidden() -> None:
    """There is no pixel to ask."""
    hidden = Picture.of(seen(scene(0), np.eye(3)), np.zeros(SIZE, np.bool_))
    assert registered(whole(seen(scene(0), np.eye(3))), hidden, np.eye(3)) is None
    assert registered(hidden, whole(seen(scene(0), np.eye(3))), np.eye(3)) is None
