"""Edges: a planted line, step and tint are told for what they are, and the truth shows none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.edges import EdgeTally, figures
from benchmarks.frames import Frame, Mask
from infusion_engine.media.shot import Transfer

SHAPE = (64, 96)
HOLE = np.zeros(SHAPE, bool)
HOLE[12:52, 20:76] = True


def noise(index: int, deviation: float = 0.05) -> np.ndarray:
    """White noise around middle grey, all channels alike."""
    values = np.random.default_rng(index).standard_normal(SHAPE)
    return np.repeat((0.5 + deviation * values)[..., None], 3, 2)


def told(pictures: list[np.ndarray], hole: Mask = HOLE) -> dict[str, Any]:
    """Figures of display values."""
    tally = EdgeTally()
    for picture in pictures:
        tally.add(picture, hole)
    return tally.figures()


def test_where_nothing_was_done_nothing_shows() -> None:
    """Differences across the edge are those beside it, and so are colours."""
    found = told([noise(i) for i in range(20)])
    for ratios in ("across_to_beside", "across_to_outside", "inside_to_outside"):
        assert found[ratios]["mean"] == pytest.approx(1.0, abs=0.05)
        assert found[ratios]["percentile_95"] == pytest.approx(1.0, abs=0.05)
    for colour in found["colour"].values():
        assert colour["mean_difference"] == pytest.approx(0.0, abs=0.002)
        assert colour["spread_ratio"] == pytest.approx(1.0, abs=0.03)


def test_a_step_at_the_edge_shows_in_both_ratios() -> None:
    """Without noise to speak of, it is the whole of the difference across."""
    pictures = [noise(i, 0.01) + 0.2 * HOLE[..., None] for i in range(4)]
    found = told(pictures)
    beside = 0.01 * 2 / np.sqrt(np.pi)  # mean |difference| of two normals of deviation 0.01
    assert found["across_to_beside"]["mean"] == pytest.approx(0.2 / beside, rel=0.05)
    assert found["across_to_beside"]["percentile_95"] > 5.0
    assert found["inside_to_outside"]["mean"] == pytest.approx(1.0, abs=0.05)
    assert found["colour"]["G"]["mean_difference"] == pytest.approx(0.2, abs=0.002)


def test_a_line_on_a_part_of_the_edge_shows_in_the_percentile() -> None:
    """A tenth of the edge is wrong: the mean moves a little, the 95th percentile by far more."""
    hole = HOLE.copy()
    pictures = []
    for index in range(4):
        picture = noise(index, 0.005)
        picture[12:32, 20] += 0.1  # the hole's first column, half its height
        pictures.append(picture)
    found = told(pictures, hole)["across_to_beside"]
    assert found["percentile_95"] > 2 * found["mean"] > 2.0


def test_a_tint_shows_in_its_channel() -> None:
    """Blue is higher and livelier inside; red and green are as outside."""
    pictures = []
    for index in range(6):
        picture = noise(index, 0.02)
        blue = picture[..., 2]
        blue[HOLE] = 0.6 + 2.0 * (blue[HOLE] - 0.5)
        pictures.append(picture)
    colour = told(pictures)["colour"]
    assert colour["B"]["mean_difference"] == pytest.approx(0.1, abs=0.003)
    assert colour["B"]["spread_ratio"] == pytest.approx(2.0, rel=0.05)
    assert colour["R"]["spread_ratio"] == pytest.approx(1.0, abs=0.05)


def test_a_smooth_fill_has_less_inside() -> None:
    """Half of the deviation is half of the differences."""
    pictures = [np.where(HOLE[..., None], noise(i, 0.02), noise(i, 0.04)) for i in range(6)]
    found = told(pictures)
    assert found["inside_to_outside"]["mean"] == pytest.approx(0.5, abs=0.03)


def test_result_and_what_it_is_held_against_are_told() -> None:
    """In display values, whatever the files hold."""
    frames = [
        Frame(noise(i) + HOLE[..., None] * 0.3, noise(i), HOLE, Transfer.DISPLAY) for i in range(3)
    ]
    found = figures(frames)
    assert found["result"]["colour"]["R"]["mean_difference"] == pytest.approx(0.3, abs=0.01)
    assert found["plate"]["colour"]["R"]["mean_difference"] == pytest.approx(0.0, abs=0.01)


def test_a_matte_without_an_edge_is_refused() -> None:
    """All of the frame, or nothing of it."""
    for hole in (np.ones(SHAPE, bool), np.zeros(SHAPE, bool)):
        with pytest.raises(ValueError, match="no edge"):
            told([noise(0)], hole)
