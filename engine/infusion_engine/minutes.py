"""Minutes: the steps that fit the time a render was given, found in the cache or measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from infusion_engine.budget import LevelSpeed, allocated, take_seconds
from infusion_engine.cache.entry import Entry, Kind
from infusion_engine.cache.key import BudgetIdentity
from infusion_engine.cache.store import Store
from infusion_engine.chain import SAMPLING_RULE
from infusion_engine.job_schema import DECIDED_BY_MINUTES
from infusion_engine.plan import Plan
from infusion_engine.planned import infusion_of
from infusion_engine.progress import Report
from infusion_engine.settings import FitsStart, Settings, described
from infusion_engine.source import Source
from infusion_engine.speed import measured

_SLACK = 0.95
"""Share of the time left that is planned for: a machine is not equally fast all the time."""


def budgeted(plan: Plan, source: Source, store: Store, report: Report) -> tuple[Plan, str]:
    """The plan with the numbers of steps that fit its minutes, and the key they are kept under.

    They are kept before the first step is taken, so that the same command goes on with the same
    numbers, however fast its machine is then. Seed and takes are not in the key: another seed goes
    on from the same fits.

    Args:
        plan: of a job that gives minutes.
        source: the shot, encoded.
        store: where the numbers are kept.
        report: hears of the measuring, and says how long the run has taken already.

    Raises:
        StorageError: they cannot be kept.
        Cancelled: a stop was asked for.
    """
    minutes = plan.job.minutes
    if minutes is None:
        raise ValueError("a job without minutes has no budget")
    identity = BudgetIdentity(
        clip=source.clip,
        settings=_named(plan.settings),
        minutes=float(minutes),
        device=source.levels[-1].x_0.device.type,
        threads=plan.threads,
    )
    key = identity.key
    found = _kept(plan, store, key)
    if found is not None:
        return found, key

    def on_wait() -> None:
        report.waiting("another process that measures its speed on this shot")

    with store.lock(key, on_wait=on_wait, check=report.check):
        found = _kept(plan, store, key)  # another process did it while this one waited
        if found is None:
            found = _measured(plan, source, store, report, identity)
    return found, key


def _named(settings: Settings) -> dict[str, object]:
    """The settings as they stand in a budget's name: as ever where fits start as ever.

    With the rule that samples are drawn by: by another an evaluation takes another time.
    """
    told: dict[str, object] = {**described(settings), "sampling_rule": SAMPLING_RULE}
    if settings.fits_start is FitsStart.PREVIOUS:
        del told["fits_start"]
    return told


def _kept(plan: Plan, store: Store, key: str) -> Plan | None:
    """The plan with the numbers that are kept under `key`, if there are any."""
    entry = store.load(Kind.BUDGET, key)
    if entry is None:
        return None
    # Its seal holds: what is read is what `_measured` wrote.
    numbers, expected = entry.record["steps"], entry.record["expected_seconds"]
    if not isinstance(numbers, dict) or not isinstance(expected, float):
        raise AssertionError("a sealed budget has steps and a time")
    found = replace(plan, settings=replace(plan.settings, **numbers))
    return replace(found, expected_seconds=expected + _further_takes(found, entry))


def _further_takes(plan: Plan, entry: Entry) -> float:
    """Seconds that the plan's takes need beyond those that the budget was reckoned for."""
    reckoned = entry.record.get("takes")
    if not isinstance(reckoned, int):  # kept before takes were noted
        return 0.0
    names = ("step_seconds", "evaluation_seconds")
    pairs = zip(*(entry.tensors[name].tolist() for name in names), strict=True)
    speeds = [LevelSpeed(*pair) for pair in pairs]
    return (len(plan.takes) - reckoned) * take_seconds(plan.settings, speeds) / _SLACK


def _measured(
    plan: Plan, source: Source, store: Store, report: Report, identity: BudgetIdentity
) -> Plan:
    """The plan with numbers from this device's speed, which are kept from now on."""
    before = report.seconds - report.waited
    speeds = measured(infusion_of(plan, source, store, report))
    # Writing the frames takes about as long as looking at them and reading them did.
    around = report.seconds - report.waited + before
    budget = allocated(
        plan.settings,
        speeds,
        seconds=(identity.minutes * 60.0 - around) * _SLACK,
        takes=len(plan.takes),
    )
    expected = around + budget.expected_seconds / _SLACK
    if expected > identity.minutes * 60.0:
        report.warn(
            f"--minutes {identity.minutes:g} is too short for this shot on this machine: with the "
            f"fewest steps that make sense it takes about {expected / 60.0:.1f} minutes.",
            "Those are what it gets; give more minutes, a faster --device, or a smaller --set "
            "working_size.",
        )
    steps = {name: getattr(budget.settings, name) for name in DECIDED_BY_MINUTES}
    store.save(
        Kind.BUDGET,
        identity.key,
        {
            "step_seconds": np.array([speed.step_seconds for speed in speeds]),
            "evaluation_seconds": np.array([speed.evaluation_seconds for speed in speeds]),
        },
        {
            "identity": identity.described(),
            "steps": steps,
            "takes": len(plan.takes),
            "expected_seconds": expected,
        },
    )
    # Where there are no locks another process may have been first, and then its numbers hold.
    return _kept(plan, store, identity.key) or replace(
        plan, settings=budget.settings, expected_seconds=expected
    )
