"""Tests of where the lines of the loss plot lie."""

from __future__ import annotations

import math

import pytest

from infusion_engine.review.loss_plot import HEIGHT, WIDTH, LossPlot, loss_plot


def _points(plot: LossPlot, curve: int) -> list[tuple[float, float]]:
    pairs = [point.split(",") for point in plot.curves[curve].points.split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_smaller_loss_lies_lower_and_equal_ratios_are_equally_far() -> None:
    """The scale is logarithmic: from 4 to 2 is as far as from 2 to 1."""
    plot = loss_plot([[4.0, 2.0, 1.0]], 1)
    assert plot is not None
    (_, a), (_, b), (_, c) = _points(plot, 0)
    assert a < b < c
    assert b - a == pytest.approx(c - b, abs=0.2)


def test_intervals_stand_side_by_side_with_room_for_those_to_come() -> None:
    """Two of four known intervals take the left half."""
    plot = loss_plot([[2.0, 1.0], [3.0, 1.5]], 4)
    assert plot is not None
    assert [curve.label for curve in plot.curves] == ["1", "2"]
    first, second = _points(plot, 0), _points(plot, 1)
    assert max(x for x, _ in first) < min(x for x, _ in second)
    assert max(x for x, _ in second) < 0.6 * WIDTH


def test_everything_lies_inside() -> None:
    """Whatever the range: lines, ticks and labels."""
    plot = loss_plot([[1e-6, 1.0], [1e5], [0.3] * 50], 3)
    assert plot is not None
    everywhere = [point for curve in range(3) for point in _points(plot, curve)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in everywhere)
    assert len(plot.ticks) >= 5
    assert all(0 <= tick.y <= plot.bottom for tick in plot.ticks)


@pytest.mark.parametrize("losses", [[], [[]], [[math.nan, math.inf, 0.0, -1.0]]])
def test_without_a_loss_that_can_be_drawn_there_is_no_plot(losses: list[list[float]]) -> None:
    """An old cache tells none, and what is no positive number has no place on the scale."""
    assert loss_plot(losses, 3) is None


def test_a_loss_that_is_no_number_leaves_the_others_where_they_are() -> None:
    """It is left out of the line, whose other points do not move."""
    plot, whole = loss_plot([[4.0, math.nan, 1.0]], 1), loss_plot([[4.0, 2.0, 1.0]], 1)
    assert plot is not None
    assert whole is not None
    assert _points(plot, 0) == [_points(whole, 0)[0], _points(whole, 0)[2]]


def test_a_flat_loss_has_a_scale_too() -> None:
    """Equal values are drawn in the middle."""
    plot = loss_plot([[0.5, 0.5]], 1)
    assert plot is not None
    assert [tick.label for tick in plot.ticks] == ["0.5"]
