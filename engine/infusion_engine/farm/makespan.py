"""Makespan: how long so many machines take for so many shots; a pure function."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """A step, and how long each of its tasks takes."""

    name: str
    """What it is called."""
    after: tuple[str, ...]
    """Steps that have to be done before."""
    seconds: tuple[float, ...]
    """Of each task, start of the engine included."""


def wall_seconds(steps: Sequence[Timed], *, workers: int, shots: int = 1) -> float:
    """Seconds until the last task of `shots` shots alike is done, by `workers` machines alike.

    A machine that is free takes the first task that is ready: shots in their order, steps in
    theirs, the longest of a step's tasks first. Schedulers differ in this, and by little.

    Args:
        steps: each after those it waits for.
        workers: machines, 1 or more.
        shots: 1 or more.
    """
    order = {step.name: number for number, step in enumerate(steps)}
    open_tasks = [[len(step.seconds) for step in steps] for _ in range(shots)]
    ready: list[tuple[int, int, float]] = []  # shot, step, minus the seconds
    begun: set[tuple[int, int]] = set()
    busy: list[tuple[float, int, int]] = []  # end, shot, step

    def release(shot: int) -> None:
        for number, step in enumerate(steps):
            waits = any(open_tasks[shot][order[name]] for name in step.after)
            if (shot, number) not in begun and not waits:
                begun.add((shot, number))
                for seconds in step.seconds:
                    heapq.heappush(ready, (shot, number, -seconds))

    for shot in range(shots):
        release(shot)
    now = 0.0
    while ready or busy:
        while ready and len(busy) < workers:
            shot, number, minus = heapq.heappop(ready)
            heapq.heappush(busy, (now - minus, shot, number))
        now, shot, number = heapq.heappop(busy)
        open_tasks[shot][number] -= 1
        if not open_tasks[shot][number]:
            release(shot)
    return now
