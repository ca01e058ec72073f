"""Duel: `standard` against `paper` on one trial, in a tenth of its time and at full length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.allowance import Allowance
from benchmarks.attempt import Attempt, Contender
from benchmarks.claim import Holds, share_of_budget
from benchmarks.pace import Pace, expected, within
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS, Settings

PART = 0.1
"""Of the wall time of `paper`, for the shorter `standard`."""
SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of the steps of `paper` that are tried where all of them take too long."""

JUDGED = ("perceptual", "swd3d")
"""Figures that say which fill is better; less is."""

Run = Callable[[Contender, float], Attempt | None]
"""Renders within so many seconds, and scores; None where it had to be ended."""


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
        run: makes one attempt. Its limit is what is free, and leaves `paper`'s tenth its time.
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
    limit = allowance.free(reserved) / (1.0 + PART)
    paper = run(Contender("paper", "paper", with_share(share)), limit)
    if paper is None:
        return []
    found = [paper]
    seconds = paper.seconds * PART
    standard, pace = terms.settings("standard"), paces["standard"]
    numbers = _at_most(within(standard, pace, seconds), standard)
    tenth = f"{name}: standard in {PART:g} of paper's time"
    if allowance.admits(tenth, seconds, reserved=reserved):
        found += _done(run, {**terms.standard, **numbers}, allowance.free(reserved))

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
        found += _done(run, whole(share), allowance.free(reserved))
    return found


def verdict(attempts: Sequence[Attempt], published: Terms) -> dict[str, Any]:
    """What the attempts at one trial say: each standard's figures over those of `paper`.

    `holds` is whether `standard` was better in every figure, in a tenth of the time (to a
    hundredth) and at full length, and null where an attempt is missing or shortened, or a figure
    is.

    Args:
        attempts: as `duel` returns them.
        published: the whole budgets, whatever was run.
    """
    papers = [a for a in attempts if a.contender == "paper"]
    if not papers:
        return {"holds": None}
    paper, standards = papers[0], [a for a in attempts if a.contender == "standard"]
    return {
        "paper": _described(paper, published),
        "standard": [
            {
                **_described(one, published),
                "share_of_papers_time": round(one.seconds / paper.seconds, 3),
                "better_in": [f for f in JUDGED if _better(one, paper, f)],
            }
            for one in standards
        ],
        "holds": _holds(paper, standards, published),
    }


def _holds(paper: Attempt, standards: Sequence[Attempt], published: Terms) -> Holds:
    """Of one trial."""
    if len(standards) < 2:
        return None
    tenth, whole = standards
    if _share(paper, published) < 1.0 or _share(whole, published) < 1.0:
        return None
    told = [f for f in JUDGED if any(f in one.scores for one in (paper, tenth, whole))]
    if not told or any(f not in one.scores for f in told for one in (paper, tenth, whole)):
        return None
    in_time = round(tenth.seconds / paper.seconds, 2) <= PART
    return in_time and all(_better(one, paper, f) for f in told for one in (tenth, whole))


def _better(one: Attempt, other: Attempt, figure: str) -> bool:
    """Whether both have the figure, and the first the better one."""
    both = figure in one.scores and figure in other.scores
    return both and one.scores[figure] < other.scores[figure]


def _described(one: Attempt, published: Terms) -> dict[str, Any]:
    """An attempt, and how much of the whole budget it was."""
    return {
        **one.described,
        "steps_per_interval": _settings(one).steps_per_interval,
        "share_of_budget": round(_share(one, published), 6),
    }


def _share(one: Attempt, published: Terms) -> float:
    return share_of_budget(_settings(one), published.settings(one.contender))


def _settings(one: Attempt) -> Settings:
    """What it was rendered with: a duel's contenders are called by their presets."""
    return overridden(PRESETS[one.contender], one.settings)


def _done(run: Run, changed: Mapping[str, str], limit: float) -> list[Attempt]:
    """The attempt of `standard` with these numbers, if it was not ended."""
    done = run(Contender("standard", "standard", changed), limit)
    return [] if done is None else [done]


def _at_most(numbers: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """`numbers`, none above the preset's own."""
    return {k: str(min(int(v), getattr(settings, k))) for k, v in numbers.items()}
