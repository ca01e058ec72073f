"""What more machines bring follows from the seconds of the tasks that were measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.farm import Bench, Measured, curve, draw, measured, serial_share, told
from infusion_engine.farm.makespan import Timed
from infusion_engine.farm.steps import Fits
from tests.farm.conftest import TINY, Shot, make_shot, shot

__all__ = ["make_shot", "shot"]  # fixtures

TASKS = (
    Timed("Prepare", (), (6.0,)),
    Timed("Fit", ("Prepare",), (20.0, 20.0)),
    Timed("Sample", ("Fit",), (10.0,)),
    Timed("Write", ("Sample",), (4.0,)),
)


def test_one_shot_gains_what_goes_side_by_side() -> None:
    """Two fits need two machines and no third; twenty of 60 seconds are never shortened."""
    assert serial_share(TASKS) == pytest.approx(20 / 60)
    found = curve(TASKS, 48.0, 1)
    assert [point["machines"] for point in found] == list(range(1, 21))
    assert found[0]["minutes"] == 1.0
    assert found[0]["times_quicker"] == pytest.approx(48 / 60)
    assert {point["times_quicker"] for point in found[1:]} == {48 / 40}


def test_many_shots_gain_with_every_machine() -> None:
    """One shot's serial steps leave machines to the next."""
    found = curve(TASKS, 48.0, 50)
    quicker = [point["times_quicker"] for point in found]
    assert quicker == sorted(quicker)
    assert quicker[-1] > 12.0


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    """As one PNG."""
    draw({"one shot": curve(TASKS, 48.0, 1)}, tmp_path / "farm.png")
    with Image.open(tmp_path / "farm.png") as picture:
        assert min(picture.size) > 300


@pytest.mark.slow
def test_every_task_is_run(shot: Shot) -> None:
    """One after the other, the fits again by two at once, and whole: the same bits."""
    found = measured(Bench(shot.folder, TINY, Fits.BASE), 2)
    assert isinstance(found, Measured)
    assert [len(task.seconds) for task in found.tasks] == [1, 1, 3, 1, 1]
    result = told(found, 2)
    assert result["same_bits"] is True
    assert set(result["whole_seconds"]) == {"base", "previous"}
    assert set(result["modelled_by_shots"]) == {"1", "50"}
