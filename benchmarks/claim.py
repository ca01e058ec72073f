"""Claim: how much of a budget was really run, and whether all claims together hold.

`holds` of a result is true or false where its figures say so, and null where something was
shortened or is missing: a claim is not borne out by what was not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from infusion_engine.settings import Settings

Holds = bool | None
"""None where the figures cannot say."""


def share_of_budget(run: Settings, budget: Settings, *, levels: int = 1) -> float:
    """Optimiser steps of all intervals that were run, over those of the budget.

    Args:
        run: what was rendered with.
        budget: what is whole.
        levels: how many sizes the shot was worked at.
    """
    return _steps(run, levels) / _steps(budget, levels)


def together(holds: Iterable[Holds]) -> Holds:
    """False where one is false, else null where one is null or there are none, else true."""
    all_of_them = list(holds)
    if False in all_of_them:
        return False
    return None if None in all_of_them or not all_of_them else True


def exit_code(told: Mapping[str, Any]) -> int:
    """1 where a part of suite.json failed or its claim does not hold, else 0."""
    refuted = any(part.get("holds") is False for part in told["parts"].values())
    return 1 if told["failed"] or refuted else 0


def _steps(settings: Settings, levels: int) -> int:
    """Optimiser steps of a whole render."""
    detail = settings.detail_intervals * settings.detail_steps_per_interval
    return settings.intervals * settings.steps_per_interval + (levels - 1) * detail
