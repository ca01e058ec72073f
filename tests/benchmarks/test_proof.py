"""A run of the suite: what its parts share is made once, and renders keep to their limits."""

from __future__ import annotations

from pathlib import Path

from benchmarks.attempt import Contender
from benchmarks.proof import Asked, Proof


def test_a_render_is_ended_at_the_limit_that_it_was_given(asked: Asked, tmp_path: Path) -> None:
    """Not at the end of all the time that is left; and what it leaves out is said."""
    proof = Proof(asked, tmp_path)
    keep = tmp_path / "kept"
    (keep / "frames").mkdir(parents=True)
    (keep / "frames" / "f.9999.png").touch()

    tiny = Contender("standard", "standard", proof.extent.terms.standard)
    done = proof.tried(proof.fire(), tiny, keep, 0.05)

    assert done is None
    assert [one["what"] for one in proof.allowance.left_out] == ["fire: standard"]
    assert list(keep.rglob("*.png")) == []  # an earlier run's are gone
    assert proof.fire() is proof.fire()  # for the race and the shot
