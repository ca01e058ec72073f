"""What a run of the chain hands on after each interval, and that listening changes no bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.infuse import Infusion, Source
from infusion_engine.progress import Report
from infusion_engine.review.interval_done import IntervalDone
from tests.tiny import TINY

THREE = replace(TINY, steps_per_interval=3)
"""Two levels of two intervals each, of three steps."""


class _Steps(Report):
    """Counts the steps of fitting that were really done: only they have a loss."""

    fitting = 0

    def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
        self.fitting += "loss" in figures


def _run(
    folder: Path,
    told: list[IntervalDone] | None,
    *,
    seed: int = 0,
    report: Report | None = None,
) -> np.ndarray:
    """The filled clip of a run over a small clip; what it hands on goes to `told`."""
    generator = np.random.default_rng(0)
    hole = np.zeros((1, 3, 16, 16), np.float32)
    hole[..., 5:11, 5:11] = 1.0
    x_0 = generator.uniform(-1, 1, (3, 3, 16, 16)).astype(np.float32) * (1 - hole)
    finest = PyramidLevel(torch.from_numpy(x_0), torch.from_numpy(hole))
    source = Source(
        levels=(coarser(finest), finest),
        clip="a" * 64,
        encoding={"knee": 0.1},
    )
    return Infusion(
        source,
        THREE,
        seed=seed,
        take=0,
        store=Store(folder, on_damage=lambda _: None),
        report=report or Report(),
        threads=1,
        memory=2**33,
        on_interval=None if told is None else told.append,
    ).run()


def test_each_interval_is_handed_on_in_order(tmp_path: Path) -> None:
    """With its fit's loss, course and time, and the whole clip as it is predicted so far."""
    told: list[IntervalDone] = []
    filled = _run(tmp_path, told)
    assert [(done.index, done.level, done.outcome) for done in told] == [
        (0, 0, "fitted"),
        (1, 0, "fitted"),
        (2, 1, "fitted"),
        (3, 1, "fitted"),
    ]
    for done, steps in zip(told, (3, 3, 2, 2), strict=True):
        assert done.count == 4
        assert len(done.fit.losses) == steps
        assert done.fit.loss == done.fit.losses[-1]
        assert done.fit.seconds is not None
        assert done.seconds is not None
        assert done.frame(0).shape == (3, 16, 16)
    assert np.array_equal(np.stack([told[-1].frame(i) for i in range(3)], axis=1), filled)
    assert not np.array_equal(told[0].frame(0), told[1].frame(0))


def test_listening_changes_no_bit(tmp_path: Path) -> None:
    """The same fill with and without, from nothing and from the cache."""
    told: list[IntervalDone] = []
    alone = _run(tmp_path / "a", None)
    assert np.array_equal(_run(tmp_path / "b", told), alone)
    assert np.array_equal(_run(tmp_path / "b", told), alone)
    keys = [
        {path.name for path in (tmp_path / name).glob("*/*") if len(path.name) == 64}
        for name in "ab"
    ]
    assert keys[0] == keys[1]
    for path in (tmp_path / "a").glob("*/*/*.safetensors"):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_a_cached_run_hands_on_what_is_known(tmp_path: Path) -> None:
    """Every interval as a hit with its loss and time; the last one's fill, and no other."""
    first: list[IntervalDone] = []
    again: list[IntervalDone] = []
    filled = _run(tmp_path, first)
    _run(tmp_path, again)
    assert [done.outcome for done in again] == ["hit"] * 4
    assert [done.fit for done in again] == [done.fit for done in first]
    assert [done.sample_key for done in again] == [done.sample_key for done in first]
    assert [done.predicted is None for done in again] == [True, True, True, False]
    assert np.array_equal(again[-1].frame(2), filled[:, 2])


def test_what_is_told_to_be_found_is_not_fitted_again(tmp_path: Path) -> None:
    """Another seed, whose fits are all hits, takes not one step of fitting."""
    told: list[IntervalDone] = []
    reports = [_Steps(), _Steps()]
    for seed, report in enumerate(reports):
        _run(tmp_path, told, seed=seed, report=report)
    assert [done.outcome for done in told] == ["fitted"] * 4 + ["hit"] * 4
    assert [report.fitting for report in reports] == [3 + 3 + 2 + 2, 0]
