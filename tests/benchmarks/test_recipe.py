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


def test_the_longest_draft_and_the_longest_paper_are_told() -> None:
    """They are found by wall time, whatever order the runs ended in."""
    runs = [paper(1010.0, 0.05, 9.0), draft(50.0, 0.04, 7.0), paper(99.0, 0.09, 30.0), DRAFT]

    found = verdict(runs, "sea")

    assert found["draft"]["seconds"] == 100.0
    assert found["paper_in_its_longest_time"]["seconds"] == 1010.0


def test_the_same_time_is_that_of_the_draft_and_the_paper_nearest_by_ratio() -> None:
    """Not the longest draft's: 350 s beside 80 s would be no race. The ratio is told, too."""
    runs = [draft(110.2, 0.06, 9.0), paper(1208.0, 0.1, 20.0), paper(80.3, 0.2, 30.0)]

    found = verdict([*runs, draft(349.6, 0.05, 8.0)], "sea")["in_the_same_time"]

    assert found["draft"] == runs[0].described
    assert found["paper"] == runs[2].described
    assert found["seconds_of_paper_over_draft"] == 0.73


@pytest.mark.parametrize(
    ("drafts_took", "papers_took", "expected"),
    [
        # Ten seconds are a half of 20, but little of 300.
        ((20.0, 300.0), (10.0, 340.0), (300.0, 340.0, 1.13)),
        # A paper that took 1.8 times as long is nearer than one that took half as long.
        ((100.0,), (50.0, 180.0), (100.0, 180.0, 1.8)),
        # One that took 0.6 of it is nearer than one that took 1.9 times as long.
        ((100.0,), (190.0, 60.0), (100.0, 60.0, 0.6)),
    ],
)
def test_how_near_two_times_are_is_a_matter_of_their_ratio(
    drafts_took: tuple[float, ...],
    papers_took: tuple[float, ...],
    expected: tuple[float, float, float],
) -> None:
    """Seconds apart say nothing across long and short runs; twice and half are equally far."""
    runs = [draft(s, 0.04, 7.0) for s in drafts_took] + [paper(s, 0.1, 9.0) for s in papers_took]

    found = verdict(runs, "sea")["in_the_same_time"]

    ratio = found["seconds_of_paper_over_draft"]
    assert (found["draft"]["seconds"], found["paper"]["seconds"], ratio) == expected


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
