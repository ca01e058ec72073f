"""The suite's race: what it is about, and that one without attempts says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.extent import WHOLE
from benchmarks.pace import Pace
from benchmarks.proof import Asked, Proof
from benchmarks.race import race


def test_the_whole_race_is_against_the_published_budget() -> None:
    """That for small textures; `standard` has its own numbers."""
    assert WHOLE.terms.paper == {"steps_per_interval": "2000"}
    assert WHOLE.terms.standard == {}


def test_without_time_for_an_attempt_there_is_no_race(asked: Asked, tmp_path: Path) -> None:
    """Nothing is told or drawn of it, but what was left out."""
    clip = tmp_path / "sea"
    clip.mkdir()
    Image.fromarray(np.zeros((192, 192, 3), np.uint8)).save(clip / "f.1.png")
    proof = Proof(replace(asked, clips=[clip]), tmp_path)
    proof.paces = {"paper": Pace(1e6, 1.0), "standard": Pace(1e6, 1.0)}

    assert race(proof) == {}
    assert proof.allowance.left_out[0]["what"] == "sea: paper"
    assert proof.drawings == []
