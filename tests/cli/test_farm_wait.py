"""`infusion-farm submit --wait` tells of each frame that a farm writes; the farm is left alone."""

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

import pytest

from tests.cli.test_farm_cli import deadline, put_program
from tests.farm.conftest import Shot, make_shot, shot

__all__ = ["deadline", "make_shot", "put_program", "shot"]  # fixtures

PATIENCE = 60.0  # seconds for anything at all


def begun(shot: Shot, *arguments: str, **job: Any) -> subprocess.Popen[str]:
    """The installed command at work; it is told of in `events.ndjson`."""
    return subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("infusion-farm")), "submit", "--wait"),
            *("--job", str(shot.job_file(**job)), "--to", "deadline-cloud"),
            *("--events-file", str(shot.folder / "events.ndjson"), *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(shot: Shot) -> list[dict[str, Any]]:
    """Every event so far."""
    log = shot.folder / "events.ndjson"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def until_waiting(shot: Shot) -> None:
    """Return once the farm's frames are waited for."""
    deadline = time.monotonic() + PATIENCE
    while not any(event.get("phase") == "farm" for event in told(shot)):
        assert time.monotonic() < deadline, told(shot)
        time.sleep(0.02)


def put_frame(shot: Shot, folder: Path, frame: int) -> None:
    """What a task of the farm does: a frame stands under its name at once, and whole."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{frame}.part"
    shutil.copyfile(shot.folder / f"plate/fire.{frame}.exr", part)
    part.rename(folder / f"fire.{frame}.exr")


def test_it_ends_with_the_last_frame(shot: Shot, deadline: Callable[[int], Path]) -> None:
    """Frames of an earlier run do not count until they are written anew."""
    deadline(0)
    out = shot.folder / "out"
    put_frame(shot, out, 1002)
    command = begun(shot, "--events", "json")
    until_waiting(shot)
    for frame in (1005, 1001, 1003, 1004):
        put_frame(shot, out, frame)
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(timeout=3)  # a look and more
    put_frame(shot, out, 1002)
    said, errors = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0, errors
    assert "Submitted job-1234" in errors  # stdout is the events' alone
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events[:1]] == ["started"]
    assert sorted(e["frame"] for e in events if e["event"] == "frame") == list(range(1001, 1006))
    plan = next(event["plan"] for event in events if event["event"] == "resolved")
    assert plan["output"]["files"] == str(out / "fire.%04d.exr")
    assert (events[-1]["event"], events[-1]["frames"]) == ("finished", 5)
    kinds = [event["event"] for event in told(shot)]
    assert (kinds[0], kinds[-1]) == ("started", "finished")


def test_every_take_is_waited_for(shot: Shot, deadline: Callable[[int], Path]) -> None:
    """Where takes are merged each has files of its own."""
    deadline(0)
    command = begun(shot, "--events", "none", takes=2, write="merged")
    until_waiting(shot)
    for frame in range(1001, 1006):
        put_frame(shot, shot.folder / "out", frame)
        put_frame(shot, shot.folder / "out/take2", frame)
    command.communicate(timeout=PATIENCE)
    assert command.returncode == 0
    assert told(shot)[-1]["frames"] == 10


def test_whoever_stops_waiting_is_told_that_the_farm_goes_on(
    shot: Shot, deadline: Callable[[int], Path]
) -> None:
    """Code 130, one line, and an event of its own kind."""
    deadline(0)
    command = begun(shot, "--events", "plain")
    until_waiting(shot)
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=PATIENCE)
    assert command.returncode == 130
    assert errors.splitlines()[-1].startswith("Not waiting any longer: 0 of the farm's 5 frames")
    last = told(shot)[-1]
    assert (last["event"], last["code"], last["exit_code"]) == ("failed", "left", 130)
    assert "The farm goes on with the job" in last["remedy"]


def test_a_refusal_is_the_last_event(shot: Shot, deadline: Callable[[int], Path]) -> None:
    """A host that reads nothing else hears why."""
    deadline(7)
    command = begun(shot, "--events", "none")
    command.communicate(timeout=PATIENCE)
    assert command.returncode == 2
    last = told(shot)[-1]
    assert (last["event"], last["code"]) == ("failed", "usage")
    assert "Deadline Cloud did not take the job (code 7): please log in" in last["message"]


def test_no_farm_was_named(shot: Shot) -> None:
    """That, too, is told as an event."""
    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("infusion-farm"), "submit", "--wait", "--job"),
            *(shot.job_file(), "--events-file", shot.folder / "events.ndjson"),
        ],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "INFUSION_FARM": ""},
    )
    assert run.returncode == 2
    assert told(shot)[-1]["message"] == "No farm was named."


def test_a_farm_that_nobody_knows(shot: Shot) -> None:
    """A mistyped variable is told to a host as well, with what it may be."""
    command = begun(shot, "--events", "none", "--to", "deadline")
    command.communicate(timeout=PATIENCE)
    assert command.returncode == 2
    last = told(shot)[-1]
    assert last["message"] == "There is no farm 'deadline'."
    assert "deadline-cloud, openjd, opencue" in last["remedy"]


@pytest.mark.parametrize("option", [("--events", "json"), ("--events-file", "events.ndjson")])
def test_without_waiting_there_are_no_events(shot: Shot, option: tuple[str, str]) -> None:
    """They would end with the hand-over, which is not the end of anything."""
    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("infusion-farm"), "submit", "--job"),
            *(shot.job_file(), "--to", "deadline-cloud", *option),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert run.returncode == 2
    assert "--wait" in run.stderr
