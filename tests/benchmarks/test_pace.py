"""Pace: what a budget of seconds is spent on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.pace import Pace, expected, within
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS

PAPER = PRESETS["paper"]


def spent(numbers: dict[str, str], pace: Pace) -> float:
    """Seconds of fitting and sampling."""
    steps, evaluations = int(numbers["steps_per_interval"]), int(numbers["sampling_steps"])
    return PAPER.intervals * (steps * pace.step_seconds + evaluations * pace.evaluation_seconds)


@pytest.mark.parametrize("seconds", [60.0, 600.0, 3600.0])
def test_a_budget_is_kept_and_used_up(seconds: float) -> None:
    """Less than a step of each interval is left over of what a render has beside its start."""
    pace = Pace(step_seconds=0.2, evaluation_seconds=0.05)

    numbers = dict(within(PAPER, pace, seconds))

    left = seconds - 8.0 - spent(numbers, pace)
    assert 0.0 <= left < PAPER.intervals * pace.step_seconds


def test_sampling_gets_a_fifth_of_a_short_budget() -> None:
    """The published 50 evaluations would take 10 minutes; they get a fifth of 1000 seconds."""
    numbers = within(PAPER, Pace(step_seconds=1.0, evaluation_seconds=0.6), 1008.0)

    assert numbers == {"steps_per_interval": "40", "sampling_steps": "16"}


def test_sampling_gets_no_more_than_the_preset_asks_for() -> None:
    """What a long budget has left goes into steps."""
    numbers = within(PAPER, Pace(step_seconds=1.0, evaluation_seconds=0.01), 1008.0)

    assert numbers == {"steps_per_interval": "49", "sampling_steps": "50"}


def test_no_budget_still_is_a_render() -> None:
    """One step and one evaluation: fewer there cannot be."""
    numbers = within(PAPER, Pace(step_seconds=1.0, evaluation_seconds=1.0), 3.0)

    assert numbers == {"steps_per_interval": "1", "sampling_steps": "1"}


def test_what_is_expected_is_what_the_budget_was() -> None:
    """`expected` and `within` are each other's inverse, to a step of each interval."""
    pace = Pace(step_seconds=0.5, evaluation_seconds=0.1)

    settings = overridden(PAPER, within(PAPER, pace, 900.0))

    assert 900.0 - PAPER.intervals * pace.step_seconds < expected(settings, pace) <= 900.0


def test_several_batches_are_several_steps() -> None:
    """Five in the first of 20 intervals are as 24 intervals of one each, for their steps alone."""
    pace, several = (
        Pace(step_seconds=1.0, evaluation_seconds=0.01),
        replace(PAPER, layout_batches=5),
    )

    numbers = within(several, pace, 1008.0)

    assert numbers == {"steps_per_interval": "41", "sampling_steps": "50"}
    took = expected(overridden(several, numbers), pace)
    assert took == pytest.approx(8.0 + 24 * 41 * 1.0 + 20 * 50 * 0.01)
