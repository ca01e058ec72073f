"""Planned: a run of the chain over a shot, as its plan says."""

from __future__ import annotations

from collections.abc import Callable

from infusion_engine.cache.store import Store
from infusion_engine.infuse import Infusion
from infusion_engine.plan import Plan
from infusion_engine.progress import Report
from infusion_engine.review.interval_done import IntervalDone
from infusion_engine.source import Source
from infusion_engine.take import FIRST_TAKE


def infusion_of(
    plan: Plan,
    source: Source,
    store: Store,
    report: Report,
    *,
    on_interval: Callable[[IntervalDone], None] | None = None,
) -> Infusion:
    """A run of the chain over a shot, for the job's first seed.

    Args:
        plan: of the job; its precision is decided.
        source: the shot, encoded.
        store: where fits and samples are found and kept.
        report: hears of each step.
        on_interval: hears of each interval that is done.
    """
    return Infusion(
        source,
        plan.settings,
        seed=plan.job.seed,
        take=FIRST_TAKE,
        store=store,
        report=report,
        threads=plan.threads,
        memory=plan.memory,
        on_interval=on_interval,
    )
