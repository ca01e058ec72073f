"""Estimate: what a job comes to on a farm, from how fast a device is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infusion_engine.farm.bundle import FarmJob
from infusion_engine.farm.makespan import Timed, wall_seconds
from infusion_engine.farm.needs import Needs, needs_of
from infusion_engine.farm.rates import Rates
from infusion_engine.farm.steps import Counted, Step
from infusion_engine.farm.work import Work
from infusion_engine.settings import Schedule
from infusion_engine.stage import RenderStage

_FLOAT = 4
_OPTIMISER_FLOATS = 2
"""Of Adam, for each parameter; it is kept only where the next fit goes on with it."""
_DEVICE = (RenderStage.BASE, RenderStage.FIT, RenderStage.SAMPLE)


@dataclass(frozen=True)
class StepEstimate:
    """What one step comes to."""

    timed: Timed
    """Its name, what it waits for, and the seconds of each of its tasks."""
    needs: Needs
    """What each of its tasks takes of a machine."""


@dataclass(frozen=True)
class Speedup:
    """What a number of machines brings."""

    workers: int
    """Machines."""
    seconds: float
    """Until the last frame is written."""
    times: float
    """How many times quicker than one machine with one command."""


@dataclass(frozen=True)
class Estimate:
    """What a job comes to."""

    steps: tuple[StepEstimate, ...]
    """In their order."""
    device_seconds: float
    """All tasks that need the job's device, together."""
    alone_seconds: float
    """One machine with one command, fits as the job has them."""
    fit_bytes: int
    """One fit in the cache."""
    cache_bytes: int
    """The cache when all is done, the samples that were superseded gone."""
    curve: tuple[Speedup, ...]
    """For each number of machines asked for, of all shots."""


def estimated(
    farm: FarmJob,
    work: Work,
    rates: Rates,
    *,
    parameters: int,
    frames_per_task: int,
    workers: Iterable[int],
    shots: int,
) -> Estimate:
    """What `shots` shots like this one come to.

    Args:
        farm: the job.
        work: what it takes.
        rates: how fast each machine is.
        parameters: of the network.
        frames_per_task: that one task writes.
        workers: numbers of machines.
        shots: so many of them; device seconds and bytes are those of one.
    """
    plan, division = farm.plan, farm.division
    steps = tuple(
        StepEstimate(
            Timed(step.name, step.after, _seconds(farm, step, work, rates, frames_per_task)),
            needs_of(plan, division, step.stage),
        )
        for step in farm.steps
    )
    timed = [step.timed for step in steps]
    frames = len(division.frames) + division.frames_read
    alone = rates.start_seconds + rates.frame_seconds * frames
    alone += sum(work.fits) / rates.fit_voxels_per_second
    alone += division.takes * _sample_seconds(work, rates)
    floats = parameters
    if plan.settings.schedule is Schedule.CONSTANT:
        floats += _OPTIMISER_FLOATS * parameters
    kept = len(work.fits) + sum(step.stage is RenderStage.BASE for step in farm.steps)
    curve = []
    for count in workers:
        seconds = wall_seconds(timed, workers=count, shots=shots)
        curve.append(Speedup(count, seconds, shots * alone / seconds))
    return Estimate(
        steps=steps,
        device_seconds=sum(
            sum(one.timed.seconds)
            for one, step in zip(steps, farm.steps, strict=True)
            if step.stage in _DEVICE
        ),
        alone_seconds=alone,
        fit_bytes=_FLOAT * floats,
        cache_bytes=_FLOAT * floats * kept + work.clip_bytes + division.takes * work.sample_bytes,
        curve=tuple(curve),
    )


def _seconds(
    farm: FarmJob, step: Step, work: Work, rates: Rates, frames_per_task: int
) -> tuple[float, ...]:
    """Seconds of each of a step's tasks."""
    start, frame = rates.start_seconds, rates.frame_seconds
    if step.counted is Counted.FRAMES:
        tasks = step.tasks(frames_per_task)
        return (start + frame * len(farm.division.frames) / tasks,) * tasks
    if step.stage is RenderStage.PREPARE:
        return (start + frame * farm.division.frames_read,)
    if step.stage is RenderStage.SAMPLE:
        return (start + _sample_seconds(work, rates),) * farm.division.takes
    voxels = (
        [work.base] if step.stage is RenderStage.BASE else work.fits[step.first - 1 : step.last]
    )
    return tuple(start + count / rates.fit_voxels_per_second for count in voxels)


def _sample_seconds(work: Work, rates: Rates) -> float:
    return (work.evaluated + work.searched) / rates.sample_voxels_per_second
