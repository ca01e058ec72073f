"""Allowance: what still fits is begun, and what does not is told with the reason."""

from __future__ import annotations

import pytest

from benchmarks.allowance import Allowance


class Watch:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    """At some time or other."""
    return Watch()


def test_what_fits_is_begun_and_not_noted(watch: Watch) -> None:
    """To the last second."""
    allowance = Allowance(60.0, watch)
    watch.now += 20.0

    assert allowance.left == 40.0
    assert allowance.admits("race", 40.0)
    assert allowance.left_out == []


def test_what_does_not_fit_is_left_out_and_said(watch: Watch) -> None:
    """With the time it takes and the time there was."""
    allowance = Allowance(60.0, watch)
    watch.now += 20.0

    assert not allowance.admits("race", 41.0)
    assert allowance.left_out == [{"what": "race", "why": "it takes about 41 s and 40 s were left"}]


def test_what_is_reserved_is_not_spent(watch: Watch) -> None:
    """The shot's seconds are there when the race is done."""
    allowance = Allowance(60.0, watch)

    assert not allowance.admits("race", 41.0, reserved=20.0)
    assert "20 s kept for what comes after" in allowance.left_out[0]["why"]
    assert allowance.admits("shot", 41.0)


def test_what_is_free_is_never_less_than_nothing(watch: Watch) -> None:
    """What is kept for later is not free, even where there is less than that."""
    allowance = Allowance(60.0, watch)

    assert allowance.free(20.0) == 40.0
    assert allowance.free(90.0) == 0.0


def test_time_that_is_over_is_none_and_not_less(watch: Watch) -> None:
    """An overrun leaves nothing, and nothing is begun."""
    allowance = Allowance(60.0, watch)
    watch.now += 90.0

    assert allowance.left == 0.0
    assert not allowance.admits("shot", 0.5)


def test_the_largest_share_that_fits_is_taken(watch: Watch) -> None:
    """The larger ones are noted, smaller ones are not looked at."""
    allowance = Allowance(60.0, watch)

    share = allowance.largest("paper", (1.0, 0.5, 0.25), lambda share: 100.0 * share)

    assert share == 0.5
    assert [one["what"] for one in allowance.left_out] == ["paper"]


def test_no_share_fits(watch: Watch) -> None:
    """Each is noted with its own time."""
    allowance = Allowance(10.0, watch)

    assert allowance.largest("paper", (1.0, 0.5), lambda share: 100.0 * share) is None
    assert [one["what"] for one in allowance.left_out] == ["paper", "paper, 0.5 of its steps"]
