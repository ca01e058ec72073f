"""The suite: parts that fail or do not fit keep no other from being told."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import suite as module
from benchmarks.attempt import Contender
from benchmarks.claim import exit_code
from benchmarks.pace import Pace
from benchmarks.suite import PARTS, PICTURES, RUNNERS, Suite, proved


def of(folder: Path, *, minutes: float, only: list[str] | None = None) -> Suite:
    """A suite that may take so many minutes."""
    return Suite(
        argparse.Namespace(
            folder=folder / "told",
            weights=None,
            tiny=True,
            clips=[],
            threads=1,
            only=only,
            device="cpu",
            minutes=minutes,
        ),
        folder,
    )


def told(folder: Path) -> dict[str, Any]:
    """suite.json."""
    found: dict[str, Any] = json.loads((folder / "told" / "suite.json").read_text("utf-8"))
    return found


def test_without_time_every_part_is_left_out_and_said(tmp_path: Path) -> None:
    """The file is written, and names all of them."""
    proved(of(tmp_path, minutes=0.0))

    assert [one["what"] for one in told(tmp_path)["left_out"]] == list(PARTS)
    assert told(tmp_path)["parts"] == {}


def test_a_failing_part_is_told_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error stands under its name; the other part has its file."""

    def lost(_suite: Suite) -> dict[str, Any]:
        raise RuntimeError("CUDA error: the device is gone")

    monkeypatch.setitem(RUNNERS, "throughput", lost)
    monkeypatch.setitem(RUNNERS, "parity", lambda _suite: {"holds": True})

    proved(of(tmp_path, minutes=5.0, only=["throughput", "parity"]))

    found = told(tmp_path)
    assert found["failed"] == {"throughput": "RuntimeError: CUDA error: the device is gone"}
    assert list(found["parts"]) == ["parity"]
    assert json.loads((tmp_path / "told" / "parity.json").read_text("utf-8"))["holds"] is True


def test_each_part_has_a_runner() -> None:
    """What can be asked for can be run."""
    assert tuple(RUNNERS) == PARTS
    assert module.WHOLE.terms.paper == {"steps_per_interval": "2000"}


def test_precisions_are_compared(tmp_path: Path) -> None:
    """The self-test holds on this machine, and says so in its file."""
    proved(of(tmp_path, minutes=5.0, only=["parity"]))

    found = json.loads((tmp_path / "told" / "parity.json").read_text("utf-8"))
    assert found["holds"] is True
    assert 0.0 < found["presets"]["draft"]["predictions_apart"] < 0.05


def test_a_self_test_that_does_not_hold_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in suite.json, and the command ends with 1."""
    monkeypatch.setitem(RUNNERS, "parity", lambda _suite: {"holds": False})

    found = proved(of(tmp_path, minutes=5.0, only=["parity"]))

    assert told(tmp_path)["parts"]["parity"]["holds"] is False
    assert exit_code(found) == 1


def test_whatever_fails_is_told_before_the_next_part_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours as well: if the machine dies in the next part, suite.json has it."""
    seen: list[dict[str, Any]] = []

    def defect(_suite: Suite) -> dict[str, Any]:
        raise KeyError("swd3d")

    def watch(_suite: Suite) -> dict[str, Any]:
        seen.append(told(tmp_path)["failed"])
        return {"holds": True}

    monkeypatch.setitem(RUNNERS, "throughput", defect)
    monkeypatch.setitem(RUNNERS, "parity", watch)

    found = proved(of(tmp_path, minutes=5.0, only=["throughput", "parity"]))

    assert seen == [{"throughput": "KeyError: 'swd3d'"}]
    assert exit_code(found) == 1


def test_a_picture_that_fails_costs_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part has its file, and the failure is told."""

    def broken() -> None:
        raise MemoryError("no room to draw")

    def drawn(suite: Suite) -> dict[str, Any]:
        suite.drawings.append(broken)
        return {"holds": True}

    monkeypatch.setitem(RUNNERS, "parity", drawn)

    found = proved(of(tmp_path, minutes=5.0, only=["parity"]))

    assert (tmp_path / "told" / "parity.json").is_file()
    assert found["failed"] == {"parity": "MemoryError: no room to draw"}


def test_what_an_earlier_run_told_is_deleted(tmp_path: Path) -> None:
    """Even if the part is not run again; files that are not the suite's stay."""
    (tmp_path / "told").mkdir()
    for name in ("race.json", "notes.json", *PICTURES):
        (tmp_path / "told" / name).write_text("{}", "utf-8")

    proved(of(tmp_path, minutes=0.0))

    assert {f.name for f in (tmp_path / "told").iterdir()} == {"suite.json", "notes.json"}


def test_a_race_without_attempts_was_not_run(tmp_path: Path) -> None:
    """It is left out, has no file, and is not among the parts."""
    clip = tmp_path / "sea"
    clip.mkdir()
    Image.fromarray(np.zeros((192, 192, 3), np.uint8)).save(clip / "f.1.png")
    suite = of(tmp_path, minutes=5.0, only=["race"])
    suite.clips = [clip]
    suite.paces = {"paper": Pace(1e6, 1.0), "standard": Pace(1e6, 1.0)}

    found = proved(suite)

    assert (found["parts"], found["failed"]) == ({}, {})
    assert found["left_out"][0]["what"] == "sea: paper"
    assert not (tmp_path / "told" / "race.json").exists()


def test_a_render_is_ended_at_the_limit_that_it_was_given(tmp_path: Path) -> None:
    """Not at the end of all the time that is left; and what it leaves out is said."""
    suite = of(tmp_path, minutes=60.0)
    keep = tmp_path / "kept"
    (keep / "frames").mkdir(parents=True)
    (keep / "frames" / "f.9999.png").touch()

    tiny = Contender("standard", "standard", module.TINY.terms.standard)
    done = suite.tried(suite.fire(), tiny, keep, 0.05)

    assert done is None
    assert [one["what"] for one in suite.allowance.left_out] == ["fire: standard"]
    assert list(keep.rglob("*.png")) == []  # an earlier run's are gone


def test_parts_run_in_their_order(tmp_path: Path) -> None:
    """Whatever the order in which they are asked for: the race keeps time for the shot."""
    assert of(tmp_path, minutes=5.0, only=["shot", "race"]).parts == ["race", "shot"]


@pytest.mark.slow
def test_a_tiny_race_and_shot_claim_nothing(tmp_path: Path) -> None:
    """All of it is rendered, drawn and told, with its small share of the budget."""
    found = proved(of(tmp_path, minutes=9.0, only=["race", "shot"]))

    assert found["failed"] == {}
    assert [part["holds"] for part in found["parts"].values()] == [None, None]
    assert all((tmp_path / "told" / name).is_file() for name in PICTURES)
    race = json.loads((tmp_path / "told" / "race.json").read_text("utf-8"))
    assert race["verdicts"]["fire"]["paper"]["share_of_budget"] < 0.001
    shot = json.loads((tmp_path / "told" / "shot.json").read_text("utf-8"))
    assert shot["share_of_budget"] < 0.001
