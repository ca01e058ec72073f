"""Resampling: exact where nothing moves, within what is there, and never from what is not known."""

from __future__ import annotations

import numpy as np
import pytest

from infusion_engine.media.warp import sampled

SIZE = (12, 15)


def picture(seed: int = 0) -> np.ndarray:
    """(H, W, 3) half: a fire's range, below 0 and up to 60."""
    rng = np.random.default_rng(seed)
    return np.clip(np.exp(rng.normal(-1, 1.5, (*SIZE, 3))) - 0.1, -0.1, 60).astype(np.float16)


def places(down: float = 0.0, across: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's own place, moved."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    return y + down, x + across


def everywhere() -> np.ndarray:
    """All of it is known."""
    return np.ones(SIZE, np.bool_)


@pytest.mark.parametrize("move", [(0, 0), (3, -2)])
def test_whole_pixels_keep_their_values(move: tuple[int, int]) -> None:
    """To the bit, up to the picture's edge; beyond it nothing is known."""
    values, known = sampled(picture(), everywhere(), *places(*move))
    y, x = places(*move)
    inside = (y >= 0) & (y < SIZE[0]) & (x >= 0) & (x < SIZE[1])
    assert np.array_equal(known, inside)
    there = picture()[y[inside].astype(int), x[inside].astype(int)]
    assert np.array_equal(values[inside], there.astype(np.float32))
    assert not values[~inside].any()


def test_a_slope_is_met_between_pixels() -> None:
    """A cubic has the value of anything straight, anywhere."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    slope = np.stack([y, x, 2 * y - x], axis=2)
    rows, columns = places(0.3, 0.75)
    values, known = sampled(slope, everywhere(), rows, columns)
    assert known[1:-2, 1:-2].all()
    assert not known[-2:].any()
    exact = np.stack([rows, columns, 2 * rows - columns], axis=2)
    np.testing.assert_allclose(values[known], exact[known], atol=1e-5)


def test_nothing_is_beyond_the_pixels_around() -> None:
    """A cubic alone would go below black beside a blaze."""
    blaze = np.zeros((*SIZE, 3), np.float32)
    blaze[:, 7:] = 60.0
    values, known = sampled(blaze, everywhere(), *places(0.5, 0.5))
    assert values[known].min() == 0.0
    assert values[known].max() == 60.0


@pytest.mark.parametrize("hidden", [np.inf, np.nan, -1e9])
def test_what_is_not_known_has_no_part_in_anything(hidden: float) -> None:
    """Places that need it are not known, and all others are as if something else stood there."""
    usable = everywhere()
    usable[5:7, 6:9] = False
    poisoned = picture().astype(np.float32)
    poisoned[~usable] = hidden
    values, known = sampled(poisoned, usable, *places(0.25, 0.5))
    clean, _ = sampled(picture().astype(np.float32), usable, *places(0.25, 0.5))
    assert np.array_equal(values, clean)
    assert not known[3:8, 4:10].any()  # a cubic looks at a pixel before and two after
    assert known[3:8, 3].all()
    assert known[2, 4:10].all()
