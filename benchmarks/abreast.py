"""Abreast: several jobs at once, in order of their results, and none after one has failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Job = TypeVar("Job")
Found = TypeVar("Found")


def abreast(one: Callable[[Job], Found], jobs: Sequence[Job], *, at_once: int) -> list[Found]:
    """What `one` makes of each job, at most `at_once` of them at a time.

    A job that raises keeps those that have not begun from beginning, and its error is raised: an
    hour of measuring is not to end in an error of its first minute.
    """
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(one, job) for job in jobs]
        wait(futures, return_when=FIRST_EXCEPTION)
        if any(future.done() and future.exception() for future in futures):
            pool.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures if not future.cancelled()]
