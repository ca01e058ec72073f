"""The paper's tables: the ablation is fair, and the tables are what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.attempt import FIGURES, Attempt, Contender
from benchmarks.pace import Pace
from benchmarks.paper_tables import Fills, contenders, jobs_of, one_network, tables, verdicts
from benchmarks.trial import Trial
from infusion_engine.budget import evaluations
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS, Settings

NUMBERS = {"steps_per_interval": "30", "sampling_steps": "7"}


def work(settings: Settings) -> tuple[int, int]:
    """(optimiser steps, denoiser evaluations) of all intervals."""
    count = settings.intervals
    return settings.steps_per_interval * count, evaluations(settings, 0)


@pytest.mark.parametrize("preset", ["paper", "draft"])
def test_one_network_has_as_many_steps(preset: str) -> None:
    """One interval, the same steps and evaluations in all, and no other setting changed."""
    several = overridden(PRESETS[preset], NUMBERS)

    single = overridden(PRESETS[preset], one_network(preset, NUMBERS))

    assert single.intervals == 1 < several.intervals
    assert work(single) == work(several)
    assert overridden(single, {**NUMBERS, "intervals": str(several.intervals)}) == several


def test_both_methods_are_tried_both_ways() -> None:
    """By names that say which is which; draft with its share of steps."""
    found = contenders(NUMBERS, share=0.25)

    assert [one.name for one in found] == [
        *("paper, 20 intervals", "paper, one network"),
        *("draft, 4 intervals", "draft, one network"),
    ]
    assert found[2].settings == {"steps_per_interval": "150"}
    assert work(overridden(PRESETS["draft"], found[3].settings)) == (600, 80)


def fills(preset: str, name: str, samples: tuple[float, ...], averaged: float) -> Fills:
    """Fills of the sea whose every figure is the same number."""
    contender = Contender(f"{preset}, {name}", preset, {})
    attempts = tuple(
        Attempt("sea", contender.name, {}, seed, 1.0, dict.fromkeys(FIGURES, score))
        for seed, score in enumerate(samples)
    )
    return Fills("sea", contender, attempts, dict.fromkeys(FIGURES, averaged), Path("nowhere"))


FOUND = [
    *(fills("paper", "20 intervals", (2.0, 4.0), 6.0), fills("paper", "one network", (5.0,), 5.0)),
    *(fills("draft", "4 intervals", (1.0, 1.0), 0.5), fills("draft", "one network", (2.0,), 2.0)),
]


def test_a_sample_stands_beside_the_mean_of_all() -> None:
    """One sample's figures are the mean over samples; the averaged picture has its own."""
    found = tables(FOUND)

    assert found["averaging"]["paper, 20 intervals"] == {
        "one_sample": dict.fromkeys(FIGURES, 3.0),
        "mean_of_samples": dict.fromkeys(FIGURES, 6.0),
    }
    assert found["ablation"]["draft, one network"] == dict.fromkeys(FIGURES, 2.0)


def test_verdicts_compare_within_a_method() -> None:
    """Intervals over one network, and the mean of samples over a sample, for each by itself."""
    found = verdicts(FOUND)["sea"]

    assert found["paper"]["averaging_raises_psnr_by"] == 3.0
    assert found["paper"]["averaging_times_perceptual"] == 2.0
    assert found["paper"]["intervals_over_one_network_perceptual"] == 0.6
    assert found["draft"]["averaging_keeps_of_detail"] == 0.5
    assert found["draft"]["intervals_over_one_network_swd3d"] == 0.5


def test_each_trial_has_its_own_pace() -> None:
    """A clip half as long has twice the steps in the same time; contenders stand in one order."""
    lost = Path("nowhere")
    trials = [Trial(str(n), lost, lost, lost, n) for n in (24, 12)]

    jobs = jobs_of(trials, lambda n: Pace(n / 100.0, 0.001 * n), seconds=1000.0, share=0.5)

    assert [(t.name, c.name) for t, c in jobs[:3]] == [
        *(("24", "paper, 20 intervals"), ("12", "paper, 20 intervals")),
        ("24", "paper, one network"),
    ]
    long, short = (int(c.settings["steps_per_interval"]) for _, c in jobs[:2])
    assert short == pytest.approx(2 * long, rel=0.1)


def test_a_share_of_nothing_is_told_as_null() -> None:
    """A fill without any detail, and one without the figure at all."""
    none = dict.fromkeys(FIGURES, 0.0)
    empty = [
        replace(f, samples=tuple(replace(s, scores=none) for s in f.samples)) for f in FOUND[:2]
    ]
    without = [
        replace(f, samples=tuple(replace(s, scores={}) for s in f.samples)) for f in FOUND[2:]
    ]

    found = verdicts([*empty, *without])["sea"]

    assert found["paper"]["averaging_keeps_of_detail"] is None
    assert found["paper"]["averaging_raises_psnr_by"] == 6.0
    assert set(found["draft"].values()) == {None}


def test_a_mean_is_of_figures_that_all_have() -> None:
    """Seeds and trials without one would make another mean of it."""
    half = fills("paper", "20 intervals", (2.0, 4.0), 6.0)
    half = replace(half, samples=(half.samples[0], replace(half.samples[1], scores={"swd3d": 4.0})))

    assert half.single == {"swd3d": 3.0}
