"""The budget: what it spends time on, and where it stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_engine.budget import (
    LEAST_SAMPLING,
    LEAST_STEPS,
    MOST_STEPS,
    LevelSpeed,
    allocated,
    batches,
)
from infusion_engine.settings import PRESETS, FitsStart

DRAFT = PRESETS["draft"]
SPEEDS = (LevelSpeed(0.1, 0.5), LevelSpeed(0.2, 2.0))
"""Two levels. Fits of draft take (4 + 1) x 600 x 0.1 + 2 x 200 x 0.2 = 380 seconds, as its first
interval has two batches in each step, and a sample (4 + 1) x 16 x 0.5 + 2 x 8 x 2 = 72, as one
interval is gone through again."""
FITTING, SAMPLING = 380.0, 72.0
VOTING = 3 * 10 * 0.5
"""Seconds for three rounds of votes on a sample's layout, each as long as ten evaluations."""
_SECONDS = st.floats(1e-4, 1e3)
_LEVELS = st.lists(st.builds(LevelSpeed, _SECONDS, _SECONDS), min_size=1, max_size=4)
_PRESETS = st.sampled_from(sorted(PRESETS))


def test_the_preset_s_own_time_gives_the_preset() -> None:
    """Nothing is scaled where everything just fits."""
    budget = allocated(DRAFT, SPEEDS, seconds=FITTING + SAMPLING + VOTING, takes=1)
    assert budget.settings == DRAFT
    assert budget.expected_seconds == pytest.approx(FITTING + SAMPLING + VOTING)


@pytest.mark.parametrize("share", [2.0, 5.0])
def test_all_levels_get_the_same_share_of_steps(share: float) -> None:
    """More time changes optimiser steps in proportion, and nothing else."""
    budget = allocated(DRAFT, SPEEDS, seconds=FITTING * share + SAMPLING + VOTING, takes=1)
    expected = replace(
        DRAFT, steps_per_interval=int(600 * share), detail_steps_per_interval=int(200 * share)
    )
    assert budget.settings == expected


@pytest.mark.parametrize(("share", "evaluations"), [(0.75, (12, 6)), (0.5, (8, 4))])
def test_less_time_is_less_of_both(share: float, evaluations: tuple[int, int]) -> None:
    """Down to half of the preset's."""
    seconds = (FITTING + SAMPLING) * share + VOTING
    found = allocated(DRAFT, SPEEDS, seconds=seconds, takes=1).settings
    assert found.steps_per_interval == pytest.approx(600 * share, abs=1)
    assert found.detail_steps_per_interval == pytest.approx(200 * share, abs=1)
    assert (found.sampling_steps, found.detail_sampling_steps) == evaluations


def test_every_take_is_sampled_from_the_same_time() -> None:
    """What three takes need more for sampling is missing for all."""
    seconds = (FITTING + 3 * SAMPLING) * 0.75 + 3 * VOTING
    budget = allocated(DRAFT, SPEEDS, seconds=seconds, takes=3)
    assert budget.settings.steps_per_interval == pytest.approx(450, abs=1)
    assert budget.settings.sampling_steps == 12
    assert budget.expected_seconds == pytest.approx(seconds, rel=0.01)


def test_below_a_half_steps_alone_are_cut() -> None:
    """Evaluations stay at half of the preset's, down to a quarter of the steps."""
    seconds = FITTING * 0.3 + SAMPLING * LEAST_SAMPLING + VOTING
    found = allocated(DRAFT, SPEEDS, seconds=seconds, takes=1).settings
    assert found.steps_per_interval == pytest.approx(180, abs=1)
    assert (found.sampling_steps, found.detail_sampling_steps) == (8, 4)


@pytest.mark.parametrize("seconds", [-100.0, 0.0, FITTING * LEAST_STEPS])
def test_the_least_of_everything_is_what_a_short_time_gives(seconds: float) -> None:
    """It takes longer than was asked for, and says how long."""
    budget = allocated(DRAFT, SPEEDS, seconds=seconds, takes=1)
    found = budget.settings
    assert (found.steps_per_interval, found.detail_steps_per_interval) == (150, 50)
    assert (found.sampling_steps, found.detail_sampling_steps) == (8, 4)
    least = FITTING * LEAST_STEPS + SAMPLING * LEAST_SAMPLING + VOTING
    assert budget.expected_seconds == pytest.approx(least)
    assert budget.expected_seconds > seconds


def test_a_long_time_is_not_used_up() -> None:
    """Ten times the preset's steps is the end."""
    budget = allocated(DRAFT, SPEEDS, seconds=1e9, takes=1)
    found = budget.settings
    assert (found.steps_per_interval, found.detail_steps_per_interval) == (6000, 2000)
    assert found.sampling_steps == DRAFT.sampling_steps
    assert budget.expected_seconds == pytest.approx(FITTING * MOST_STEPS + SAMPLING + VOTING)


def test_a_single_level_has_no_detail_to_pay_for() -> None:
    """The settings of finer sizes cost nothing where there are none."""
    fitting, sampling = (4 + 1) * 600 * 0.1, 5 * 16 * 0.5
    seconds = (fitting + sampling) / 2 + VOTING
    budget = allocated(DRAFT, SPEEDS[:1], seconds=seconds, takes=1)
    assert budget.settings.steps_per_interval == 300


@pytest.mark.parametrize(
    ("batches", "levels", "fitting"),
    [
        (1, 1, 4 * 600 * 0.1),
        (2, 1, 5 * 600 * 0.1),
        (4, 1, 7 * 600 * 0.1),
        (1, 2, 4 * 600 * 0.1 + 2 * 200 * 0.2),
        (2, 2, 5 * 600 * 0.1 + 2 * 200 * 0.2),
        (4, 2, 7 * 600 * 0.1 + 2 * 200 * 0.2),
    ],
)
def test_more_batches_are_paid_for_once(batches: int, levels: int, fitting: float) -> None:
    """By the coarsest level's first interval, as a step each; half the time is half the steps."""
    settings = replace(DRAFT, layout_batches=batches)
    both = fitting + 5 * 16 * 0.5 + (levels - 1) * 2 * 8 * 2.0
    whole = allocated(settings, SPEEDS[:levels], seconds=both + VOTING, takes=1)
    half = allocated(settings, SPEEDS[:levels], seconds=both / 2 + VOTING, takes=1)
    assert whole.settings == settings
    assert whole.expected_seconds == pytest.approx(both + VOTING)
    assert half.settings == replace(
        settings,
        steps_per_interval=300,
        detail_steps_per_interval=100,
        sampling_steps=8,
        detail_sampling_steps=4,
    )


def test_a_base_is_paid_for() -> None:
    """As one more of the coarsest level's first fits."""
    with_base = replace(DRAFT, fits_start=FitsStart.BASE)
    assert batches(with_base, 0) == batches(DRAFT, 0) + DRAFT.layout_batches
    assert batches(with_base, 1) == batches(DRAFT, 1)


def test_every_layout_is_paid_for() -> None:
    """With its evaluations and votes at the coarsest size, and a search to compare it."""
    settings = replace(DRAFT, layouts=3)
    sampling = 3 * (5 * 16 + (3 + 1) * 10) * 0.5 + 2 * 8 * 2.0
    whole = allocated(settings, SPEEDS, seconds=FITTING + sampling, takes=1)
    assert whole.settings == settings
    assert whole.expected_seconds == pytest.approx(FITTING + sampling)


@given(_PRESETS, _LEVELS, st.floats(0, 1e7), st.integers(1, 99))
def test_the_time_is_kept_wherever_the_least_fits(
    preset: str, speeds: list[LevelSpeed], seconds: float, takes: int
) -> None:
    """Whatever the speeds, no more is spent than was given, or than the least there is."""
    least = allocated(PRESETS[preset], speeds, seconds=0.0, takes=takes)
    budget = allocated(PRESETS[preset], speeds, seconds=seconds, takes=takes)
    assert least.expected_seconds <= budget.expected_seconds * (1 + 1e-9)
    assert budget.expected_seconds <= max(seconds, least.expected_seconds) * (1 + 1e-9)


@given(_PRESETS, _LEVELS, st.floats(0, 1e7), st.floats(0, 1e7))
def test_more_time_never_gives_less(
    preset: str, speeds: list[LevelSpeed], one: float, other: float
) -> None:
    """Neither optimiser steps nor evaluations."""
    short, long = (
        allocated(PRESETS[preset], speeds, seconds=seconds, takes=1).settings
        for seconds in sorted((one, other))
    )
    assert short.steps_per_interval <= long.steps_per_interval
    assert short.detail_steps_per_interval <= long.detail_steps_per_interval
    assert short.sampling_steps <= long.sampling_steps
    assert short.detail_sampling_steps <= long.detail_sampling_steps
