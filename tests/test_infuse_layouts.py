"""Several layouts in a whole run: each of its own noise, the likest gone on with, resumable."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from infusion_engine import crossing
from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.errors import Cancelled
from infusion_engine.infuse import Infusion, Source
from infusion_engine.progress import Report
from infusion_engine.settings import Settings
from tests.tiny import TINY

pytestmark = pytest.mark.usefixtures("one_thread")

LAYOUTS = 3
ONE = replace(TINY, coarsest_hole_pixels=0, intervals=3, layouts=1, seam_pixels=0)
"""One size of three intervals, of which the last one chooses."""
SEVERAL = replace(ONE, layouts=LAYOUTS)
DECIDES = 2
"""The stage that chooses."""


class Until(Report):
    """Stops the run once a stage has gone by; remembers how far it came."""

    def __init__(self, index: int | None = None) -> None:
        super().__init__()
        self.index = index
        self.told: list[tuple[int, int]] = []

    def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
        self.told.append((done, total))
        if self.index is not None and figures["interval"] > self.index:
            raise Cancelled("enough")


def infusion(
    folder: Path, settings: Settings, *, take: int = 0, size: int = 32, report: Report | None = None
) -> Infusion:
    """A run over a small clip of noise."""
    hole = np.zeros((1, 3, size, size), np.float32)
    hole[..., 5:11, 5:11] = 1.0
    x_0 = np.random.default_rng(0).uniform(-1, 1, (3, 3, size, size)).astype(np.float32)
    shot = PyramidLevel(torch.from_numpy(x_0 * (1 - hole)), torch.from_numpy(hole))
    return Infusion(
        Source((shot,), "a" * 64, {"knee": 0.1}),
        settings,
        seed=0,
        take=take,
        store=Store(folder, on_damage=lambda _: None),
        report=report or Report(),
        threads=1,
        memory=2**33,
    )


def kept(
    folder: Path, settings: Settings, index: int, *, take: int = 0, size: int = 32
) -> np.ndarray:
    """The sample of a stage, as a run that is stopped after it, or ends with it, leaves it."""
    run = infusion(folder, settings, take=take, size=size, report=Until(index))
    with suppress(Cancelled):
        run.run()
    entry = Store(folder, on_damage=lambda _: None).load(Kind.SAMPLE, run.stages[index].sample.key)
    assert entry is not None
    return entry.tensors["x"]


def test_each_layout_has_noise_of_its_own(tmp_path: Path) -> None:
    """Side by side they are what as many runs of one layout would have drawn."""
    together = kept(tmp_path, SEVERAL, 0)
    alone = [kept(tmp_path, ONE, 0, take=take) for take in range(LAYOUTS)]
    assert together.shape == (LAYOUTS, *alone[0].shape)
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(alone[0], alone[1])


@pytest.mark.parametrize("best", range(LAYOUTS))
def test_the_likest_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best: int
) -> None:
    """Of the stage that decides one sample is left, and it is that layout's."""
    distances = iter([0.5 - 0.1 * (number == best) for number in range(LAYOUTS)])
    monkeypatch.setattr(crossing, "unlikeness", lambda *_, **__: next(distances))
    chosen = kept(tmp_path, SEVERAL, DECIDES)
    assert np.array_equal(chosen, kept(tmp_path, ONE, DECIDES, take=best))


def test_a_run_that_was_stopped_at_any_stage_ends_with_the_same_bits(tmp_path: Path) -> None:
    """While several are drawn, and before one is chosen."""
    whole = infusion(tmp_path / "whole", SEVERAL).run()
    for index in range(DECIDES):
        kept(tmp_path / str(index), SEVERAL, index)
        report = Until()
        assert np.array_equal(infusion(tmp_path / str(index), SEVERAL, report=report).run(), whole)
        assert report.hits == index + 1


def test_another_layout_is_another_fill_from_the_same_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fitted again, and the work comes to the announced whole."""
    distances = iter([0.5, 0.4, 0.5])
    monkeypatch.setattr(crossing, "unlikeness", lambda *_, **__: next(distances))
    one = infusion(tmp_path, ONE).run()
    report = Until()
    several = infusion(tmp_path, SEVERAL, report=report)
    assert not np.array_equal(several.run(), one)
    assert (report.hits, report.fitted) == (3, 0)
    counts = [done for done, _ in report.told]
    assert counts == sorted(counts)
    assert report.told[-1][0] == report.told[-1][1]


def test_only_the_first_is_drawn_where_nobody_could_compare_them(tmp_path: Path) -> None:
    """A plate with too few whole patches says nothing of layouts."""
    assert np.array_equal(
        kept(tmp_path, SEVERAL, DECIDES, size=16), kept(tmp_path, ONE, DECIDES, size=16)
    )
