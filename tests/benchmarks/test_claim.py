"""Claims: what holds together, how much of a budget was run, and when the command fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.claim import Holds, exit_code, share_of_budget, together
from infusion_engine.settings import PRESETS

STANDARD = PRESETS["standard"]


@pytest.mark.parametrize(
    ("each", "expected"),
    [([True, True], True), ([True, None], None), ([None, False], False), ([], None)],
)
def test_one_that_is_refuted_refutes_all(each: list[Holds], expected: Holds) -> None:
    """And one that says nothing keeps the others from holding."""
    assert together(each) is expected


def test_a_share_counts_every_size_that_was_worked() -> None:
    """4 x 4000 steps at the coarsest of three sizes, and twice 2 x 1500 that were not run."""
    run = replace(STANDARD, detail_steps_per_interval=0)

    assert share_of_budget(run, STANDARD, levels=3) == pytest.approx(16_000 / 22_000)
    assert share_of_budget(run, STANDARD) == 1.0


@pytest.mark.parametrize(
    ("parts", "failed", "expected"),
    [
        ({"parity": {"holds": True}, "throughput": {}}, {}, 0),
        ({"race": {"holds": None}}, {}, 0),
        ({"parity": {"holds": False}}, {}, 1),
        ({}, {"race": "KeyError: 'swd3d'"}, 1),
    ],
)
def test_what_is_refuted_or_fails_ends_with_1(
    parts: dict[str, dict[str, Holds]], failed: dict[str, str], expected: int
) -> None:
    """What could not be told does not."""
    assert exit_code({"parts": parts, "failed": failed}) == expected
