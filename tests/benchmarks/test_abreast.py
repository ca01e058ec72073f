"""Several jobs at once: results in order, and an end at the first error."""

from __future__ import annotations

import threading

import pytest

from benchmarks.abreast import abreast


def test_results_come_in_the_jobs_order() -> None:
    """However they end: the first job waits here for the second."""
    second_is_done = threading.Event()

    def one(job: int) -> int:
        if job == 0:
            assert second_is_done.wait(30.0)
        else:
            second_is_done.set()
        return job * 10

    assert abreast(one, [0, 1], at_once=2) == [0, 10]


def test_nothing_begins_after_an_error() -> None:
    """The error of the first of many jobs is raised, and the last ones are never begun."""
    begun: list[int] = []

    def one(job: int) -> int:
        begun.append(job)
        if job == 0:
            raise RuntimeError("no footage")
        threading.Event().wait(0.05)
        return job

    with pytest.raises(RuntimeError, match="no footage"):
        abreast(one, range(100), at_once=1)
    assert len(begun) < 50
