"""The duel of standard and paper: its order, its times, and what it does without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.allowance import Allowance
from benchmarks.attempt import Attempt, Contender
from benchmarks.claim import Holds
from benchmarks.duel import Terms, duel, verdict
from benchmarks.pace import Pace
from infusion_engine.settings import PRESETS

TERMS = Terms(paper={"steps_per_interval": "2000"}, standard={})
PACES = {"paper": Pace(0.01, 0.005), "standard": Pace(0.02, 0.005)}
"""`paper` takes 8 + 20 x (20 + 0.25) = 413 s; `standard` 8 + 4 x (80 + 0.12) = 328 s."""


class Bench:
    """Renders that take no time but this clock's, and what they were asked for."""

    def __init__(self, seconds: float, *, ends: bool = True) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.ends = ends
        self.asked: list[Contender] = []
        self.limits: list[float] = []

    def clock(self) -> float:
        return self.now

    def run(self, contender: Contender, limit: float) -> Attempt | None:
        """Paper takes the time that was given, standard a tenth of it."""
        self.asked.append(contender)
        self.limits.append(limit)
        seconds = self.seconds if contender.name == "paper" else self.seconds / 10
        self.now += seconds
        if not self.ends:
            return None
        return Attempt("sea", contender.name, contender.settings, 0, seconds, {"swd3d": 1.0})


def fought(
    bench: Bench, seconds: float, *, reserved: float = 0.0
) -> tuple[list[Attempt], Allowance]:
    """The duel within so many seconds."""
    allowance = Allowance(seconds, bench.clock)
    return duel("sea", bench.run, TERMS, PACES, allowance, reserved=reserved), allowance


def test_with_time_enough_all_three_are_run() -> None:
    """Paper with its whole budget, standard in a tenth of the time that paper took, and whole."""
    found, allowance = fought(Bench(400.0), 3600.0)

    assert [a.contender for a in found] == ["paper", "standard", "standard"]
    paper, tenth, whole = (dict(a.settings) for a in found)
    assert paper == {"steps_per_interval": "2000"}
    # 40 s, of which 8 go around and 5 x 24 x 0.005 into sampling: 31.4 s for four intervals.
    assert tenth == {"steps_per_interval": "392", "sampling_steps": "24"}
    assert whole == {"steps_per_interval": "4000"}
    assert allowance.left_out == []


def test_paper_is_shortened_where_its_budget_does_not_fit() -> None:
    """Half of its steps fit into 300 s; that the whole did not is told."""
    found, allowance = fought(Bench(200.0), 300.0)

    assert dict(found[0].settings) == {"steps_per_interval": "1000"}
    # 80 s are left at the end: an eighth of standard's steps takes 49, a quarter of them 88.
    assert dict(found[2].settings) == {"steps_per_interval": "500"}
    assert [one["what"] for one in allowance.left_out] == [
        *("sea: paper", "sea: standard"),
        *("sea: standard, 0.5 of its steps", "sea: standard, 0.25 of its steps"),
    ]


def test_what_comes_after_keeps_its_seconds() -> None:
    """With 300 of 600 s reserved, paper is what it is in 300 s."""
    found, _ = fought(Bench(200.0), 600.0, reserved=300.0)

    assert dict(found[0].settings) == {"steps_per_interval": "1000"}


def test_without_time_nothing_is_begun() -> None:
    """All is told, and standard without paper would be no duel."""
    bench = Bench(1.0)

    found, allowance = fought(bench, 20.0)

    assert (found, bench.asked) == ([], [])
    assert len(allowance.left_out) == 4


def test_a_paper_that_had_to_be_ended_ends_the_duel() -> None:
    """There is no time to take a tenth of."""
    bench = Bench(1.0, ends=False)

    found, _ = fought(bench, 3600.0)

    assert found == []
    assert [one.name for one in bench.asked] == ["paper"]


def test_a_tenth_never_is_more_than_the_preset() -> None:
    """However long paper took."""
    found, _ = fought(Bench(40_000.0), 1e6)

    assert int(found[1].settings["steps_per_interval"]) == PRESETS["standard"].steps_per_interval


PAPER = Attempt("sea", "paper", TERMS.paper, 0, 400.0, {"perceptual": 0.05, "swd3d": 9.0})
TENTH = Attempt(
    "sea",
    "standard",
    {"steps_per_interval": "400", "sampling_steps": "24"},
    0,
    40.0,
    {"perceptual": 0.04, "swd3d": 8.0},
)
WHOLE = replace(TENTH, settings={"steps_per_interval": "4000"}, seconds=300.0)


def test_no_render_may_take_what_comes_after_it() -> None:
    """Of 1000 s 300 are the shot's; paper's limit leaves its tenth a tenth of itself."""
    bench = Bench(400.0)

    fought(bench, 1000.0, reserved=300.0)

    # 700 s are free; after paper's 400 and the tenth's 40 there are 300 and 260.
    assert bench.limits == pytest.approx([700.0 / 1.1, 300.0, 260.0])


def test_the_verdict_names_figures_in_which_standard_is_better() -> None:
    """And the share of paper's time that it took."""
    short = replace(TENTH, scores={"perceptual": 0.06, "swd3d": 8.0})

    found = verdict([PAPER, short], TERMS)["standard"][0]

    assert found["better_in"] == ["swd3d"]
    assert found["share_of_papers_time"] == 0.1


def test_the_verdict_tells_how_much_was_really_run() -> None:
    """Paper's 250 steps an interval are an eighth of its budget, whatever the terms are called."""
    eighth = replace(PAPER, settings={"steps_per_interval": "250"})

    found = verdict([eighth, TENTH, WHOLE], TERMS)

    assert (found["paper"]["steps_per_interval"], found["paper"]["share_of_budget"]) == (250, 0.125)
    assert [one["share_of_budget"] for one in found["standard"]] == [0.1, 1.0]


def test_fewer_intervals_are_a_smaller_share() -> None:
    """Two of twenty, with all of their steps."""
    two = replace(PAPER, settings={**TERMS.paper, "intervals": "2"})

    assert verdict([two], TERMS)["paper"]["share_of_budget"] == 0.1


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([PAPER, TENTH, WHOLE], True),
        ([PAPER, replace(TENTH, scores={"perceptual": 0.06, "swd3d": 8.0}), WHOLE], False),
        ([PAPER, replace(TENTH, seconds=45.0), WHOLE], False),
        ([PAPER, TENTH, replace(WHOLE, scores={"perceptual": 0.04, "swd3d": 9.5})], False),
        ([replace(PAPER, settings={"steps_per_interval": "1000"}), TENTH, WHOLE], None),
        ([PAPER, TENTH, replace(WHOLE, settings={"steps_per_interval": "2000"})], None),
        ([PAPER, WHOLE], None),
        ([PAPER, replace(TENTH, scores={"swd3d": 8.0}), WHOLE], None),
        ([PAPER, TENTH, replace(WHOLE, scores={"perceptual": 0.04})], None),
        ([replace(one, scores={}) for one in (PAPER, TENTH, WHOLE)], None),
        ([], None),
    ],
    ids=[
        *("better", "worse in one figure", "took longer", "whole worse"),
        *("paper shortened", "standard shortened", "tenth missing"),
        *("figure missing", "whole's figure missing", "no figures", "left out"),
    ],
)
def test_what_holds_follows_from_the_figures(attempts: list[Attempt], expected: Holds) -> None:
    """Null where anything was shortened or is missing."""
    assert verdict(attempts, TERMS)["holds"] is expected
