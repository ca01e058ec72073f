"""Tasks of a farm that fail are told to whoever waits for the frames, and once they are done, not.

The farm's place is taken by the engine itself, started as a scheduler would start it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.test_farm_cli import deadline, put_program
from tests.cli.test_farm_wait import PATIENCE, begun, put_frame, told, until_waiting
from tests.farm.conftest import Shot, make_shot, shot

__all__ = ["deadline", "make_shot", "put_program", "shot"]  # fixtures

COMMANDS = Path(sys.executable).parent


def task(shot: Shot, *stage: str, **paths: Path) -> subprocess.CompletedProcess[str]:
    """One task of the submitted job, where `paths` are mapped by flags as a scheduler does."""
    flags = [part for flag, path in paths.items() for part in (f"--{flag}", str(path))]
    return subprocess.run(
        [
            *(str(COMMANDS / "infusion-render"), *flags),
            *("--job", str(shot.folder / "job-farm/job.json"), "--stage", *stage),
            *("--events", "openjd"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def notes(shot: Shot) -> list[dict[str, Any]]:
    """What failed tasks left in the cache."""
    return [json.loads(path.read_text()) for path in sorted(shot.folder.glob("cache/troubles/*"))]


def warnings(shot: Shot) -> list[str]:
    """What whoever waits was warned of."""
    return [event["message"] for event in told(shot) if event["event"] == "warning"]


def until_warned(shot: Shot, count: int) -> str:
    """The last of so many warnings, once it was told."""
    until = time.monotonic() + PATIENCE
    while len(warnings(shot)) < count:
        assert time.monotonic() < until, told(shot)
        time.sleep(0.05)
    assert len(warnings(shot)) == count
    return warnings(shot)[-1]


def ended(waiting: subprocess.Popen[str], shot: Shot) -> int:
    """The code of a command that waits no longer, since every frame has been written."""
    for frame in range(1001, 1006):
        put_frame(shot, shot.folder / "out", frame)
    waiting.communicate(timeout=PATIENCE)
    return waiting.returncode


def test_a_failed_task_is_told_once_until_it_is_done(
    shot: Shot, deadline: Callable[[int], Path]
) -> None:
    """Where a plate is not seen, its paths mapped or not; the same words again say nothing new."""
    deadline(0)
    waiting = begun(shot, "--events", "none")
    until_waiting(shot)
    elsewhere = shot.folder / "mounted"
    elsewhere.mkdir()
    (shot.folder / "cache").mkdir()
    (elsewhere / "cache").symlink_to(shot.folder / "cache")  # as another machine calls it
    lost = {"matte": elsewhere / "matte", "cache": elsewhere / "cache"}
    assert task(shot, "prepare", **lost).returncode == 3
    said = until_warned(shot, 1)
    assert task(shot, "prepare", **lost).returncode == 3
    time.sleep(2.5)  # a look and more
    assert len(warnings(shot)) == 1
    assert said.startswith("The farm's task `prepare` failed on ")
    assert str(elsewhere / "matte") in said
    assert [note["exit_code"] for note in notes(shot)] == [3]

    shutil.copytree(shot.folder / "matte", elsewhere / "matte")
    done = task(shot, "prepare", **lost)
    assert (done.returncode, notes(shot)) == (0, []), done.stderr

    assert task(shot, "sample", "--take", "1").returncode == 5
    said = until_warned(shot, 2)
    assert "`sample --take 1` failed" in said
    assert "with code 5" in said
    assert ended(waiting, shot) == 0  # the scheduler tried again, and nobody was given up
    remedy = [event["remedy"] for event in told(shot) if event["event"] == "warning"][-1]
    assert remedy == "Run --stage fit --interval 1 first, and so on for each."


@pytest.mark.slow
def test_what_failed_before_the_job_was_handed_over_is_not_told(
    shot: Shot, deadline: Callable[[int], Path]
) -> None:
    """An earlier try's notes are in the same cache, under the same job."""
    deadline(0)
    first = begun(shot, "--events", "none")
    until_waiting(shot)
    gone = shot.folder / "gone"
    assert task(shot, "prepare", matte=gone).returncode == 3
    until_warned(shot, 1)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=PATIENCE)
    (shot.folder / "events.ndjson").unlink()

    again = begun(shot, "--events", "none")
    until_waiting(shot)
    time.sleep(2.5)  # a look and more
    assert warnings(shot) == []
    assert task(shot, "prepare", matte=gone).returncode == 3
    until_warned(shot, 1)
    assert ended(again, shot) == 0


@pytest.mark.slow
def test_many_that_fail_alike_are_told_in_one_line(
    shot: Shot, deadline: Callable[[int], Path]
) -> None:
    """Eight machines without the plate are one trouble."""
    deadline(0)
    waiting = begun(shot, "--events", "none")
    until_waiting(shot)
    assert task(shot, "prepare").returncode == 0
    waiting.send_signal(signal.SIGSTOP)
    for number in ("1", "2", "3"):
        failed = task(shot, "fit", "--interval", number, matte=shot.folder / "gone")
        assert failed.returncode == 3
    waiting.send_signal(signal.SIGCONT)
    assert " and 2 more, which" in until_warned(shot, 1)
    assert ended(waiting, shot) == 0


@pytest.mark.parametrize("place", ["no cache there", "a cache that takes none"])
def test_a_note_that_cannot_be_left_hides_nothing(
    place: str, shot: Shot, deadline: Callable[[int], Path]
) -> None:
    """The task ends with its own words and code; where nothing is mounted no cache is made."""
    deadline(0)
    waiting = begun(shot, "--events", "none")
    until_waiting(shot)
    cache = shot.folder / "cache"
    if place == "a cache that takes none":
        assert task(shot, "prepare").returncode == 0
        (cache / "troubles").write_bytes(b"")
    failed = task(shot, "fit", "--interval", "1", matte=shot.folder / "gone")
    assert failed.returncode == 3
    assert "openjd_fail: " in failed.stdout
    assert str(shot.folder / "gone") in failed.stderr
    assert "troubles" not in failed.stderr
    assert cache.exists() == (place == "a cache that takes none")
    assert ended(waiting, shot) == 0
    assert warnings(shot) == []


@pytest.mark.slow
def test_a_task_that_is_stopped_has_not_failed(
    shot: Shot, deadline: Callable[[int], Path], tmp_path: Path
) -> None:
    """A scheduler that takes a machine back gives the task again."""
    deadline(0)
    many = {**shot.job().settings, "steps_per_interval": "100000", "fits_start": "scratch"}
    waiting = begun(shot, "--events", "none", settings=many)
    until_waiting(shot)
    assert task(shot, "prepare").returncode == 0
    log = tmp_path / "fit.ndjson"
    fit = subprocess.Popen(
        [
            *(COMMANDS / "infusion-render", "--job", shot.folder / "job-farm/job.json"),
            *("--stage", "fit", "--interval", "1", "--events-file", log),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + PATIENCE
    while not (log.exists() and '"inpainting"' in log.read_text()):
        assert time.monotonic() < until
        time.sleep(0.05)
    fit.send_signal(signal.SIGTERM)
    assert fit.wait(timeout=PATIENCE) == 130
    assert notes(shot) == []
    assert ended(waiting, shot) == 0


def test_openjd_says_which_task_failed(shot: Shot) -> None:
    """The bundle run for real: a frame is damaged amid, which only decoding can find."""
    frame = shot.folder / "plate/fire.1003.exr"
    whole = frame.read_bytes()
    frame.write_bytes(whole[: len(whole) // 2] + np.zeros(len(whole) // 2, np.uint8).tobytes())
    run = subprocess.run(
        [
            *(COMMANDS / "infusion-farm", "submit", "--wait", "--job", shot.job_file()),
            *("--to", "openjd", "--events", "none"),
            *("--events-file", shot.folder / "events.ndjson"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "OCIO": ""},
    )
    assert run.returncode == 2, run.stderr
    (said,) = warnings(shot)
    assert "`prepare` failed" in said
    assert "fire.1003.exr" in said
