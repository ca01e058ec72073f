"""How long many machines take follows from what each task takes and what it waits for."""

from __future__ import annotations

import pytest

from infusion_engine.farm.makespan import Timed, wall_seconds

SHOT = (
    Timed("Prepare", (), (10.0,)),
    Timed("Base", ("Prepare",), (100.0,)),
    Timed("Fit", ("Prepare", "Base"), (60.0, 60.0, 30.0, 30.0)),
    Timed("Sample", ("Fit",), (40.0,)),
    Timed("Write", ("Sample",), (5.0, 5.0)),
)


def test_one_machine_does_everything_in_a_row() -> None:
    """The sum of all tasks, of all shots."""
    assert wall_seconds(SHOT, workers=1) == 340.0
    assert wall_seconds(SHOT, workers=1, shots=3) == 3 * 340.0


@pytest.mark.parametrize(
    ("workers", "seconds"),
    [(2, 10 + 100 + 90 + 40 + 5), (3, 10 + 100 + 60 + 40 + 5), (20, 10 + 100 + 60 + 40 + 5)],
)
def test_only_tasks_of_one_step_go_side_by_side(workers: int, seconds: float) -> None:
    """A step begins when all of those before it are done, and machines beyond its tasks idle."""
    assert wall_seconds(SHOT, workers=workers) == seconds


def test_many_shots_keep_every_machine_busy() -> None:
    """One shot's serial steps leave machines to the next: near to all work shared out."""
    alone, shots, workers = wall_seconds(SHOT, workers=20), 200, 20
    shared = shots * 340.0 / workers
    assert shared <= wall_seconds(SHOT, workers=workers, shots=shots) <= shared + alone


def test_more_machines_are_never_slower_here() -> None:
    """The curve of one shot falls, and levels off at its longest way through."""
    curve = [wall_seconds(SHOT, workers=count) for count in range(1, 21)]
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] == 215.0


def test_a_step_without_tasks_holds_nobody_up() -> None:
    """What waits for it begins at once."""
    steps = (Timed("Fit", (), ()), Timed("Write", ("Fit",), (3.0,)))
    assert wall_seconds(steps, workers=1) == 3.0
