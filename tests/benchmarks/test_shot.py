"""The suite's shot: one for which there is no time, whole or shortened, says nothing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.duel import SHARES
from benchmarks.pace import Pace
from benchmarks.proof import Asked, Proof
from benchmarks.shot import time_shot


def test_without_time_there_is_no_shot(asked: Asked, tmp_path: Path) -> None:
    """Every share of its steps was thought of and left out; nothing is told or drawn."""
    proof = Proof(asked, tmp_path)
    proof.paces = {"standard": Pace(1e6, 1.0)}

    assert time_shot(proof) == {}
    left_out = [one["what"] for one in proof.allowance.left_out]
    assert left_out == [
        "shot: standard",
        *(f"shot: standard, {s:g} of its steps" for s in SHARES[1:]),
    ]
    assert proof.drawings == []
