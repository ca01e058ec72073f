"""Fit starts: every contender has as many batches in all, whatever its fits start from."""

from __future__ import annotations

import pytest

from benchmarks.fit_starts import LEVELS, contenders, total_batches
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS, FitsStart


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_all_contenders_take_as_many_batches(share: float) -> None:
    """But for what rounding to whole steps leaves."""
    found = [overridden(PRESETS["draft"], one.settings) for one in contenders(share)]
    assert [one.fits_start for one in found] == list(FitsStart)
    chain = total_batches(found[0])
    assert [total_batches(one) for one in found] == [pytest.approx(chain, rel=0.03)] * 3


def test_a_trial_is_worked_at_two_sizes() -> None:
    """So that fits of a finer size are tried too, and counted."""
    assert LEVELS == 2


def test_a_base_costs_each_fit_some_of_its_steps() -> None:
    """It is one fit more, and the total stays."""
    steps = {c.name: int(c.settings["steps_per_interval"]) for c in contenders(1.0)}
    assert steps["previous"] == steps["scratch"] == 600
    assert steps["base"] < 600
