"""Minutes: a budget is found once, and then a run with it is a run like any other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_node.wire.job import RenderJob

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]
SMALL = (
    *("intervals=1", "detail_intervals=1", "channels=4", "coarsest_hole_pixels=6"),
    *("crop_pixels=16", "window_frames=4", "context_pixels=12"),
)
"""Two levels of one interval; the numbers of steps are the budget's."""
STEPS = ("steps_per_interval", "detail_steps_per_interval")
BUDGET_FLUSHES = 4
"""Flushes to the disk until the budget is kept; a fit and a sample take as many each."""


def command(shot: ShotFiles, output: Path, *more: str) -> tuple[str, ...]:
    """The command line that fills the shot within six seconds, or near them."""
    return (
        *(str(shot.folder / "plate"), "--matte", str(shot.folder / "matte")),
        *("--output", str(output), "--threads", "1", "--device", "cpu", "--minutes", "0.1"),
        *(part for setting in SMALL for part in ("--set", setting)),
        *more,
    )


def steps(outcome: Outcome) -> tuple[int, ...]:
    """The numbers of steps that a run resolved last."""
    *_, plan = outcome.all("resolved", "plan")
    return tuple(plan["method"][name] for name in STEPS)


@pytest.mark.parametrize("done", [0, 3])
def test_killed_and_run_again_the_budget_stays(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    done: int,
) -> None:
    """Killed after so many fits and samples: the same steps, the same bits, and no new measuring.

    A cache that holds nothing but the budget gives them too.
    """
    shot = exr_shot(tmp_path)
    cache, out = tmp_path / "cache", tmp_path / "out"
    run = command(shot, out, "--cache", str(cache))
    killed = render(*run, flushes=BUDGET_FLUSHES * (1 + done) + 1)
    assert killed.code == -9
    assert "measuring" in killed.phases
    shutil.copytree(cache / "budgets", tmp_path / "other" / "budgets")

    again = render(*run)
    other = render(*command(shot, tmp_path / "o", "--cache", str(tmp_path / "other")))

    assert (again.code, other.code) == (0, 0), again.message + other.message
    assert "measuring" not in again.phases | other.phases
    assert again.hits == list(range((done + 1) // 2))
    assert other.fitted == [0, 1]
    assert steps(again) == steps(other) == steps(killed)
    assert files(tmp_path / "o").items() <= files(out).items()


def test_killed_while_the_budget_is_kept(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Half a budget is none: the next run measures for itself, and ends."""
    shot = exr_shot(tmp_path)
    run = command(shot, tmp_path / "out", "--cache", str(tmp_path / "cache"))
    assert render(*run, flushes=1).code == -9

    again = render(*run)

    assert (again.code, again.fitted) == (0, [0, 1])
    assert "measuring" in again.phases


def test_without_a_cache(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """The budget goes with the run; with takes it serves all of them."""
    shot = exr_shot(tmp_path)
    outcome = render(*command(shot, tmp_path / "out", "--no-cache", "--takes", "2"))

    assert outcome.code == 0, outcome.message
    assert "measuring" in outcome.phases
    first, *_, last = outcome.all("resolved", "plan")
    assert first["method"]["expected_seconds"] is None
    assert last["method"]["expected_seconds"] > 0.0
    assert first["method"]["minutes"] == last["method"]["minutes"] == 0.1
    rest = {name: first["method"][name] for name in ("channels", "intervals", "batch")}
    assert rest.items() <= last["method"].items()


def test_an_empty_matte_needs_no_budget(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Nothing is measured where nothing is filled."""
    shot = exr_shot(tmp_path, lambda _frame, _plate, matte: matte.fill(0.0))
    outcome = render(*command(shot, tmp_path / "out", "--cache", str(tmp_path / "cache")))

    assert outcome.code == 0, outcome.message
    assert "measuring" not in outcome.phases


def test_a_written_job_holds_the_steps(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """It has the numbers in place of the minutes, and another machine's cache fits the same."""
    shot = exr_shot(tmp_path)
    cache, out, written = tmp_path / "cache", tmp_path / "out", tmp_path / "job.json"
    run = command(shot, out, "--cache", str(cache))

    told = tmp_path / "told.ndjson"
    logged = tmp_path / "log.txt"

    writing = render(
        *(*run, "--events-file", str(told), "--log-file", str(logged)),
        *("--write-job", str(written)),
    )
    assert not told.exists()  # it is the render's own
    again = render(*run)
    other = render("--job", str(written), "--output", str(tmp_path / "o"), "--no-cache")

    assert (writing.code, again.code, other.code) == (0, 0, 0), writing.message + other.message
    assert "measuring" in writing.phases
    assert writing.events[-1]["event"] == "finished"
    assert "Budget" in logged.read_text()
    assert "measuring" not in again.phases | other.phases
    job = RenderJob.from_json(written.read_text())
    assert (job.minutes, job.output) == (None, str(out))
    assert tuple(int(job.settings[name]) for name in STEPS) == steps(writing)
    assert {name.split("=")[0] for name in SMALL} < set(job.settings)
    assert steps(again) == steps(other) == steps(writing)
    assert files(tmp_path / "o").items() <= files(out).items()


def test_minutes_are_resolved_only_where_the_plate_can_be_read(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """A job for a plate that is not there is refused, and no file stands in for it."""
    shot = exr_shot(tmp_path)
    shutil.rmtree(shot.folder / "plate")
    written = tmp_path / "job.json"

    refused = render(*command(shot, tmp_path / "out", "--write-job", str(written)))

    assert refused.code == 3
    assert "plate" in refused.message
    assert not written.exists()
    assert not (tmp_path / "out").exists()


def test_an_empty_matte_is_written_without_minutes(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Nothing is fitted, so that no numbers stand for them."""
    shot = exr_shot(tmp_path, lambda _frame, _plate, matte: matte.fill(0.0))
    written = tmp_path / "job.json"
    outcome = render(*command(shot, tmp_path / "out", "--no-cache", "--write-job", str(written)))

    assert outcome.code == 0, outcome.message
    job = json.loads(written.read_text())
    assert job["minutes"] is None
    assert not set(STEPS) & set(job["settings"])
