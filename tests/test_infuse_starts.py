"""What fits start from, and what a run does when another process went past with the same sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.key import Started
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.infuse import BASE, Infusion, Source
from infusion_engine.progress import Report
from infusion_engine.settings import FitsStart, Settings
from tests.tiny import TINY

pytestmark = pytest.mark.usefixtures("one_thread")


def infusion(folder: Path, settings: Settings, report: Report | None = None) -> Infusion:
    """A run over a small clip at two sizes, on a cache without locks."""
    generator = np.random.default_rng(0)
    hole = np.zeros((1, 3, 16, 16), np.float32)
    hole[..., 5:11, 5:11] = 1.0
    x_0 = generator.uniform(-1, 1, (3, 3, 16, 16)).astype(np.float32) * (1 - hole)
    fine = PyramidLevel(torch.from_numpy(x_0), torch.from_numpy(hole))
    folder.mkdir(exist_ok=True)
    locks = folder / "locks"
    if not locks.exists():
        locks.symlink_to("/sys/kernel", target_is_directory=True)
    return Infusion(
        Source(levels=(coarser(fine), fine), clip="a" * 64, encoding={"knee": 0.1}),
        settings,
        seed=0,
        take=0,
        store=Store(folder, on_damage=lambda _message: None),
        report=report or Report(),
        threads=1,
        memory=2**33,
    )


def weights(run: Infusion, key: str) -> dict[str, np.ndarray]:
    """The weights of a fit that is in the cache."""
    entry = run.store.load(Kind.FIT, key)
    assert entry is not None
    return {name: a for name, a in entry.tensors.items() if name.startswith("model.weights")}


@pytest.mark.parametrize("start", list(FitsStart))
def test_a_fit_is_named_by_what_it_started_from(start: FitsStart, tmp_path: Path) -> None:
    """Each start gives fits of other names, but for the first of all from nothing."""
    chain = infusion(tmp_path, replace(TINY, fits_start=start)).stages
    started = {stage.fit.started for stage in chain[1:]}
    assert started == {Started(start.value)}
    first = Started.BASE if start is FitsStart.BASE else Started.SCRATCH
    assert chain[0].fit.started is first


def test_every_fit_starts_from_the_base(tmp_path: Path) -> None:
    """It is made once, is the parent of all, and without a step they would be it."""
    still = replace(TINY, fits_start=FitsStart.BASE, learning_rate=0.0, ema=0.0)
    run = infusion(tmp_path, still)
    assert run.base is not None
    run.fit(3)
    run.fit(0)
    assert {stage.fit.parent for stage in run.stages} == {run.base.fit.key}
    base = weights(run, run.base.fit.key)
    for index in (0, 3):
        fitted = weights(run, run.stages[index].fit.key)
        # Weights are put back on their sphere at every step, which rounds.
        assert all(np.allclose(fitted[name], base[name], atol=1e-6) for name in base)
    assert not run.store.has(Kind.FIT, run.stages[1].fit.key)


@pytest.mark.parametrize("start", [FitsStart.BASE, FitsStart.SCRATCH])
def test_no_fit_knows_which_was_made_before_it(start: FitsStart, tmp_path: Path) -> None:
    """One process that makes them backwards, and one for each: the same bits, gauges included."""
    settings = replace(TINY, fits_start=start)
    backwards = infusion(tmp_path / "backwards", settings)
    for index in reversed(range(len(backwards.stages))):
        backwards.fit(index)
    for index, stage in enumerate(backwards.stages):
        alone = infusion(tmp_path / "alone", settings)
        alone.fit(index)
        one, other = (run.store.load(Kind.FIT, stage.fit.key) for run in (alone, backwards))
        assert one is not None
        assert other is not None
        assert one.tensors.keys() == other.tensors.keys()
        assert all(np.array_equal(one.tensors[n], other.tensors[n]) for n in one.tensors)


def test_there_is_no_base_where_none_is_started_from(tmp_path: Path) -> None:
    """Asking for it is a mistake of the caller's."""
    run = infusion(tmp_path, TINY)
    assert run.base is None
    with pytest.raises(ValueError, match="no base"):
        run.fit(BASE)


def test_a_run_that_is_overtaken_takes_what_the_other_left(tmp_path: Path) -> None:
    """While it fits the finer size, another draws the whole sample and drops what it began with."""
    settings = replace(TINY, fits_start=FitsStart.SCRATCH)
    others: list[np.ndarray] = []

    class Overtaken(Report):
        def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
            if figures.get("interval") == 2 and not others:
                others.append(infusion(tmp_path, settings).run())

    found = infusion(tmp_path, settings, Overtaken()).run()

    assert len(others) == 1
    assert np.array_equal(found, others[0])
    alone = infusion(tmp_path / "alone", settings).run()
    assert np.array_equal(found, alone)
