"""The suite: parts that fail or do not fit keep no other from being told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import suite
from benchmarks.claim import exit_code
from benchmarks.proof import Asked, Proof
from benchmarks.suite import PARTS, PICTURES, proved
from infusion_engine.arithmetic import has_bfloat16

CPU = torch.device("cpu")


def told(asked: Asked, name: str = "suite") -> dict[str, Any]:
    """suite.json, or a part's file."""
    found: dict[str, Any] = json.loads((asked.folder / f"{name}.json").read_text("utf-8"))
    return found


def only(asked: Asked, *parts: str) -> Asked:
    """A suite of these parts."""
    return replace(asked, parts=frozenset(parts))


def test_without_time_every_part_is_left_out_and_said(asked: Asked, tmp_path: Path) -> None:
    """The file is written, and names all of them."""
    proved(Proof(replace(asked, minutes=0.0), tmp_path))

    assert [one["what"] for one in told(asked)["left_out"]] == list(PARTS)
    assert told(asked)["parts"] == {}


def test_a_failing_part_is_told_and_the_next_one_runs(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error stands under its name; the other part has its file."""

    def lost(_proof: Proof) -> dict[str, Any]:
        raise RuntimeError("CUDA error: the device is gone")

    monkeypatch.setitem(PARTS, "throughput", lost)
    monkeypatch.setitem(PARTS, "parity", lambda _proof: {"holds": True})

    proved(Proof(only(asked, "throughput", "parity"), tmp_path))

    found = told(asked)
    assert found["failed"] == {"throughput": "RuntimeError: CUDA error: the device is gone"}
    assert list(found["parts"]) == ["parity"]
    assert told(asked, "parity")["holds"] is True


@pytest.mark.skipif(not has_bfloat16(CPU), reason="this processor has no bfloat16 of its own")
def test_precisions_are_compared(asked: Asked, tmp_path: Path) -> None:
    """The self-test holds on this machine, and says so in its file."""
    proved(Proof(only(asked, "parity"), tmp_path))

    found = told(asked, "parity")
    assert found["holds"] is True
    assert 0.0 < found["presets"]["draft"]["predictions_apart"] < 0.05


def test_without_bfloat16_there_is_nothing_to_compare(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part is left out, and the file says why."""
    monkeypatch.setattr(suite, "has_bfloat16", lambda _device: False)

    proved(Proof(only(asked, "parity"), tmp_path))

    assert told(asked)["left_out"] == [
        {"what": "parity", "why": "the device has no bfloat16 of its own"}
    ]
    assert told(asked)["parts"] == {}


def test_a_self_test_that_does_not_hold_is_not_hidden(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in suite.json, and the command ends with 1."""
    monkeypatch.setitem(PARTS, "parity", lambda _proof: {"holds": False})

    found = proved(Proof(only(asked, "parity"), tmp_path))

    assert told(asked)["parts"]["parity"]["holds"] is False
    assert exit_code(found) == 1


def test_whatever_fails_is_told_before_the_next_part_runs(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours as well: if the machine dies in the next part, suite.json has it."""
    seen: list[dict[str, Any]] = []

    def defect(_proof: Proof) -> dict[str, Any]:
        raise KeyError("swd3d")

    def watch(_proof: Proof) -> dict[str, Any]:
        seen.append(told(asked)["failed"])
        return {"holds": True}

    monkeypatch.setitem(PARTS, "throughput", defect)
    monkeypatch.setitem(PARTS, "parity", watch)

    found = proved(Proof(only(asked, "throughput", "parity"), tmp_path))

    assert seen == [{"throughput": "KeyError: 'swd3d'"}]
    assert exit_code(found) == 1


def test_a_picture_that_fails_costs_no_figures(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part has its file, and the failure is told."""

    def broken() -> None:
        raise MemoryError("no room to draw")

    def drawn(proof: Proof) -> dict[str, Any]:
        proof.drawings.append(broken)
        return {"holds": True}

    monkeypatch.setitem(PARTS, "parity", drawn)

    found = proved(Proof(only(asked, "parity"), tmp_path))

    assert (asked.folder / "parity.json").is_file()
    assert found["failed"] == {"parity": "MemoryError: no room to draw"}


def test_what_an_earlier_run_told_is_deleted(asked: Asked, tmp_path: Path) -> None:
    """Even if the part is not run again; files that are not the suite's stay."""
    asked.folder.mkdir()
    for name in ("race.json", "notes.json", *PICTURES):
        (asked.folder / name).write_text("{}", "utf-8")

    proved(Proof(replace(asked, minutes=0.0), tmp_path))

    assert {f.name for f in asked.folder.iterdir()} == {"suite.json", "notes.json"}


def test_a_part_of_which_nothing_was_rendered_was_not_run(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has said itself what it left out, has no file, and is not among the parts."""

    def without_time(proof: Proof) -> dict[str, Any]:
        proof.allowance.leave_out("fire: paper", "it takes too long")
        return {}

    monkeypatch.setitem(PARTS, "race", without_time)

    found = proved(Proof(only(asked, "race"), tmp_path))

    assert (found["parts"], found["failed"]) == ({}, {})
    assert [one["what"] for one in found["left_out"]] == ["fire: paper"]
    assert not (asked.folder / "race.json").exists()


def test_parts_run_in_their_order(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are asked for in none; theirs is such that the race keeps time for the shot."""
    for name in PARTS:
        monkeypatch.setitem(PARTS, name, lambda _proof: {"holds": True})

    found = proved(Proof(asked, tmp_path))

    assert list(found["parts"]) == ["throughput", "parity", "race", "shot"]


@pytest.mark.slow
def test_a_tiny_race_and_shot_claim_nothing(asked: Asked, tmp_path: Path) -> None:
    """All of it is rendered, drawn and told, with its small share of the budget."""
    found = proved(Proof(only(replace(asked, minutes=9.0), "race", "shot"), tmp_path))

    assert found["failed"] == {}
    assert [part["holds"] for part in found["parts"].values()] == [None, None]
    assert all((asked.folder / name).is_file() for name in PICTURES)
    race = told(asked, "race")
    assert race["verdicts"]["fire"]["paper"]["share_of_budget"] < 0.001
    shot = told(asked, "shot")
    assert shot["share_of_budget"] < 0.001
