"""The cost benchmark: seconds are those of the events, and growth is that of the largest."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.cost import SERIES, Point, Size, changed, draw, growth, timed
from infusion_node.wire.events import Finished, Progress, Started, to_line

SIZE = Size(64, 36, 8, 4)


def test_seconds_are_those_of_the_events() -> None:
    """Work begins with the first step of a fit and ends where writing begins."""
    told = [
        (10.0, Started("0", 1, "m")),
        (12.0, Progress("looking", 1, 4)),
        (15.0, Progress("inpainting", 0, 10)),
        (20.0, Progress("inpainting", 10, 10)),
        (21.0, Progress("writing", 1, 4)),
        (24.0, Finished(4, 14.0, 0, 2)),
    ]
    lines = [to_line(event, time=when) for when, event in told]
    assert timed(SIZE, [*lines, "torn"]) == Point(SIZE, 14.0, 6.0)


@pytest.mark.parametrize("name", SERIES)
def test_a_series_changes_one_thing_and_rises(name: str) -> None:
    """Whatever the others change stays as it is."""
    sizes = SERIES[name]
    values = [changed(name, size) for size in sizes]
    assert values == sorted(set(values))
    for other in SERIES.keys() - {name}:
        assert len({changed(other, size) for size in sizes}) == 1


def test_growth_is_that_of_the_largest_over_the_smallest() -> None:
    """In what changes, in the whole, and in the work alone."""
    small, large = Size(64, 36, 8, 4), Size(64, 36, 8, 16)
    found = growth("frames", [Point(small, 10.0, 4.0), Point(large, 25.0, 16.0)])
    assert found == {
        "times_larger": 4.0, "times_the_seconds": 2.5, "times_the_working_seconds": 4.0,
    }  # fmt: skip


def test_the_plot_has_a_panel_for_each_series(tmp_path: Path) -> None:
    """Three beside one another."""
    series = {name: [Point(size, 2.0, 1.0) for size in sizes] for name, sizes in SERIES.items()}
    draw(series, tmp_path / "plots/cost.png")
    with Image.open(tmp_path / "plots/cost.png") as picture:
        assert picture.width > 2 * picture.height
