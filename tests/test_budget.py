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


@pytest.mark.parametrize("share", [0.3, 0.5, 2.0, 5.0])
def test_all_levels_get_the_same_share_of_steps(share: float) -> None:
    """More or less time changes optimiser steps in proportion, and nothing else."""
    budget = allocated(DRAFT, SPEEDS, seconds=FITTING * share + SAMPLING + VOTING, takes=1)
    expected = replace(
        DRAFT, steps_per_interval=int(600 * share), detail_steps_per_interval=int(200 * share)
    )
    assert budget.settings == expected


def test_every_take_is_sampled_from_the_same_time() -> None:
    """What three takes need more for sampling is taken from the fits."""
    budget = allocated(DRAFT, SPEEDS, seconds=FITTING / 2 + 3 * (SAMPLING + VOTING), takes=3)
    assert budget.settings.steps_per_interval == 300
    assert budget.settings.sampling_steps == DRAFT.sampling_steps
    assert budget.expected_seconds == pytest.approx(FITTING / 2 + 3 * (SAMPLING + VOTING))


def test_sampling_is_cut_only_after_the_fits() -> None:
    """With the fewest optimiser steps, evaluations get what is left."""
    seconds = FITTING * LEAST_STEPS + SAMPLING * 0.75 + VOTING
    budget = allocated(DRAFT, SPEEDS, seconds=seconds, takes=1)
    found = budget.settings
    assert (found.steps_per_interval, found.detail_steps_per_interval) == (150, 50)
    assert (found.sampling_steps, found.detail_sampling_steps) == (12, 6)


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
    seconds = fitting / 2 + sampling + VOTING
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
    sampling = 5 * 16 * 0.5 + VOTING + (levels - 1) * 2 * 8 * 2.0
    whole = allocated(settings, SPEEDS[:levels], seconds=fitting + sampling, takes=1)
    half = allocated(settings, SPEEDS[:levels], seconds=fitting / 2 + sampling, takes=1)
    assert whole.settings == settings
    assert whole.expected_seconds == pytest.approx(fitting + sampling)
    assert half.settings == replace(
        settings,
        steps_per_interval=300,
        detail_steps_per_interval=100,
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
