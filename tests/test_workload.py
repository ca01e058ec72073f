"""The workload: one count over fitting and all takes' sampling."""

from __future__ import annotations

import pytest
import torch

from infusion_engine.chain import Named, Stage, stages
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.diffusion.schedule import T
from infusion_engine.progress import Report
from infusion_engine.workload import Workload
from tests.decided import PRESETS

HOLE = torch.zeros(1, 3, 16, 16)
HOLE[..., 5:11, 5:11] = 1.0
CLIP = PyramidLevel(torch.zeros(3, 3, 16, 16), HOLE)
SIZES = (coarser(CLIP), CLIP)
PLACES = [(slice(0, 8), slice(0, 8)), (slice(0, 16), slice(0, 16))]
CHAIN: tuple[Stage, ...] = stages(
    Named("a" * 64, {}, (T, 500), (1.0, 0.5), seed=0, take=0), PRESETS["draft"]
)


class Told(Report):
    """Remembers what was done, of how much, and the figures."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int, dict[str, float]]] = []

    def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
        self.told.append((done, total, figures))

    def shares(self) -> list[float]:
        """What part of the work was done, each time that it was told."""
        return [done / total for done, total, _ in self.told]


def done(*, take: int, takes: int, report: Told) -> None:
    """All the work of one take, told at the end of each fit and each sample."""
    work = Workload(SIZES, PLACES, CHAIN, report, take=take, takes=takes)
    for index, stage in enumerate(CHAIN):
        if take == 1:
            work.fitted(index, stage.settings.steps_per_interval, 0.5)
        work.sampled(index, stage.work)


@pytest.mark.parametrize("takes", [1, 3])
def test_the_takes_together_come_to_the_whole(takes: int) -> None:
    """Each goes on where the one before ended, and the last one ends at the total."""
    report = Told()
    for take in range(1, takes + 1):
        done(take=take, takes=takes, report=report)
    counts = [count for count, _, _ in report.told]
    assert counts == sorted(set(counts))
    assert {total for _, total, _ in report.told} == {counts[-1]}


def test_a_further_take_that_fits_stands_still_meanwhile() -> None:
    """Its fits are no part of the count: they should have been there."""
    report = Told()
    work = Workload(SIZES, PLACES, CHAIN, report, take=2, takes=2)
    work.fitted(0, 10, 0.5)
    work.fitted(0, 20, 0.25)
    (first, _, _), (second, _, figures) = report.told
    assert first == second
    assert figures["loss"] == 0.25


def test_figures_tell_the_take_only_where_there_are_several() -> None:
    """One take needs no number."""
    report = Told()
    done(take=1, takes=1, report=report)
    assert not any("take" in figures for _, _, figures in report.told)
    report = Told()
    done(take=2, takes=3, report=report)
    assert {(f["take"], f["takes"], f["intervals"]) for _, _, f in report.told} == {(2, 3, 6)}


def test_a_stage_alone_is_all_of_its_work() -> None:
    """One fit goes from nothing to the whole, and so does one sample when every fit is there."""
    told = Told()
    work = Workload(SIZES, PLACES, CHAIN, told)
    work.only_fit(1)
    steps = CHAIN[1].settings.steps_per_interval
    work.fitted(1, steps // 2, 0.1)
    work.fitted(1, steps, 0.1)
    assert told.shares() == [0.5, 1.0]
    told = Told()
    work = Workload(SIZES, PLACES, CHAIN, told)
    work.only_sample(CHAIN)
    for index, stage in enumerate(CHAIN):
        work.sampled(index, stage.work)
    assert told.shares() == sorted(set(told.shares()))
    assert told.shares()[-1] == 1.0
