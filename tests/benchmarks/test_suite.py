"""The suite: parts that fail or do not fit keep no other from being told."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import suite as module
from benchmarks.suite import PARTS, RUNNERS, Suite, proved


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
