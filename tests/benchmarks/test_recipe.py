"""The race of paper and draft: what it says of the figures it found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.attempt import Attempt
from benchmarks.recipe import MULTIPLES, drafts, verdict
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS

DRAFT = Attempt("sea", "draft", {}, 0, 100.0, {"perceptual": 0.03, "swd3d": 6.0})


def draft(seconds: float, perceptual: float, swd3d: float) -> Attempt:
    """A run of draft on the sea."""
    return replace(DRAFT, seconds=seconds, scores={"perceptual": perceptual, "swd3d": swd3d})


def paper(seconds: float, perceptual: float, swd3d: float) -> Attempt:
    """A run of paper on the sea."""
    return replace(draft(seconds, perceptual, swd3d), contender="paper")


def test_draft_is_compared_with_paper_in_the_same_time_and_in_its_longest() -> None:
    """The pairs are found by wall time, whatever order the runs ended in."""
    runs = [paper(1010.0, 0.05, 9.0), draft(50.0, 0.04, 7.0), paper(99.0, 0.09, 30.0), DRAFT]

    found = verdict(runs, "sea")

    assert found["draft"]["seconds"] == 100.0
    assert found["paper_in_the_same_time"]["seconds"] == 99.0
    assert found["paper_in_its_longest_time"]["seconds"] == 1010.0


def test_the_first_draft_from_which_all_are_as_good_as_papers_best_is_named() -> None:
    """For each figure by itself; a short draft's luck does not count if a longer one is worse."""
    runs = [
        *(paper(100.0, 0.09, 9.0), paper(1000.0, 0.05, 12.0)),
        *(draft(20.0, 0.06, 9.0), draft(50.0, 0.05, 10.0), draft(70.0, 0.04, 9.0)),
        draft(100.0, 0.03, 8.0),
    ]

    found = verdict(runs, "sea")

    assert found["perceptual_best_of_paper"] == 0.05
    assert found["perceptual_seconds_from_which_draft_is_better"] == 50.0
    assert found["swd3d_best_of_paper"] == 9.0
    assert found["swd3d_seconds_from_which_draft_is_better"] == 70.0


def test_a_draft_that_never_gets_there_is_said_to() -> None:
    """No time is named where paper stays better."""
    found = verdict([paper(1000.0, 0.01, 1.0), DRAFT], "sea")

    assert found["perceptual_seconds_from_which_draft_is_better"] is None


def test_other_trials_have_no_say() -> None:
    """A good paper on another clip is no opponent."""
    other = replace(paper(100.0, 0.001, 0.1), trial="fire")

    found = verdict([DRAFT, paper(100.0, 0.05, 9.0), other], "sea")

    assert found["perceptual_best_of_paper"] == 0.05


def test_drafts_are_the_preset_and_shares_of_its_steps() -> None:
    """The first is draft as it is shipped; the rest has fewer steps and nothing else changed."""
    whole, *shorter = drafts()

    assert whole.settings == {}
    steps = [int(one.settings["steps_per_interval"]) for one in shorter]
    assert steps == [300, 150, 75]
    for one in shorter:
        changed = overridden(PRESETS["draft"], one.settings)
        assert replace(changed, steps_per_interval=600) == PRESETS["draft"]


def test_paper_is_given_ten_times_the_time() -> None:
    """The comparison that the race is for."""
    assert max(MULTIPLES) == pytest.approx(10.0)
