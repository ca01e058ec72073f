"""Duel: `standard` against `paper` on one trial, in a tenth of its time and at full length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.allowance import Allowance
from benchmarks.attempt import Attempt, Contender
from benchmarks.pace import Pace, expected, within
from infusion_engine.settings import PRESETS, Settings, overridden

PART = 0.1
"""Of the wall time of `paper`, for the shorter `standard`."""
SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of the steps of `paper` that are tried where all of them take too long."""

Run = Callable[[Contender], Attempt | None]
"""Renders and scores; None where it had to be ended."""


@dataclass(frozen=True)
class Terms:
    """What both are given."""

    paper: Mapping[str, str]
    """Numbers that replace those of the preset `paper`."""
    standard: Mapping[str, str]
    """Numbers that replace those of the preset `standard`."""

    def settings(self, preset: str) -> Settings:
        """The preset with its numbers replaced."""
        return overridden(PRESETS[preset], {"paper": self.paper, "standard": self.standard}[preset])


def duel(
    name: str,
    run: Run,
    terms: Terms,
    paces: Mapping[str, Pace],
    allowance: Allowance,
    *,
    reserved: float,
) -> list[Attempt]:
    """Every attempt that time was left for: `paper` first, because its time decides the second.

    Args:
        name: the trial's, for what is left out.
        run: makes one attempt.
        terms: what both are given.
        paces: how fast the two presets go.
        allowance: the time there is.
        reserved: seconds of it that belong to what comes after.
    """
    settings, papers = terms.settings("paper"), paces["paper"]

    def with_share(share: float) -> dict[str, str]:
        steps = max(1, round(settings.steps_per_interval * share))
        return {**terms.paper, "steps_per_interval": str(steps)}

    def needed(share: float) -> float:
        # The tenth belongs to it: one without the other says nothing.
        return expected(overridden(settings, with_share(share)), papers) * (1.0 + PART)

    share = allowance.largest(f"{name}: paper", SHARES, needed, reserved=reserved)
    if share is None:
        return []
    paper = run(Contender("paper", "paper", with_share(share)))
    if paper is None:
        return []
    found = [paper]
    seconds = paper.seconds * PART
    standard, pace = terms.settings("standard"), paces["standard"]
    numbers = _at_most(within(standard, pace, seconds), standard)
    tenth = f"{name}: standard in {PART:g} of paper's time"
    if allowance.admits(tenth, seconds, reserved=reserved):
        found += _done(run, {**terms.standard, **numbers})

    def whole(share: float) -> dict[str, str]:
        steps = max(1, round(standard.steps_per_interval * share))
        return {**terms.standard, "steps_per_interval": str(steps)}

    share = allowance.largest(
        f"{name}: standard",
        SHARES,
        lambda share: expected(overridden(standard, whole(share)), pace),
        reserved=reserved,
    )
    if share is not None:
        found += _done(run, whole(share))
    return found


def verdict(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """What the attempts at one trial say: each standard's figures over those of `paper`."""
    papers = [a for a in attempts if a.contender == "paper"]
    if not papers:
        return {}
    paper = papers[0]
    told: dict[str, Any] = {"paper": paper.described, "standard": []}
    for one in (a for a in attempts if a.contender == "standard"):
        better = [
            figure
            for figure in ("perceptual", "swd3d")
            if figure in one.scores and one.scores[figure] < paper.scores[figure]
        ]
        told["standard"].append(
            {
                **one.described,
                "share_of_papers_time": round(one.seconds / paper.seconds, 3),
                "better_in": better,
            }
        )
    return told


def _done(run: Run, changed: Mapping[str, str]) -> list[Attempt]:
    """The attempt of `standard` with these numbers, if it was not ended."""
    done = run(Contender("standard", "standard", changed))
    return [] if done is None else [done]


def _at_most(numbers: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """`numbers`, none above the preset's own."""
    return {k: str(min(int(v), getattr(settings, k))) for k, v in numbers.items()}
