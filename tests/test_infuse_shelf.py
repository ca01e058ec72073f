"""A run whose clips lie on disk, and one that is measured in pieces: the same fill."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.halving import Halving
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.errors import StorageError
from infusion_engine.infuse import Infusion, Source
from infusion_engine.media.box import Box
from infusion_engine.progress import Report
from tests.tiny import TINY

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES, HEIGHT, WIDTH = 9, 40, 48
PARTS = (Box(0, 0, 24, 20), Box(0, 0, 48, 40))
SETTINGS = replace(TINY, resamplings=1, seam_pixels=2, still_frames=4)


@dataclass(frozen=True)
class Usage:
    """What a disk says of itself."""

    free: int


def source(shelf: Shelf) -> Source:
    """Waves over a still corner, with a hole that wanders."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / 4.0
    halving = Halving(FRAMES, PARTS, shelf)
    for t in range(FRAMES):
        hole = np.zeros((1, HEIGHT, WIDTH), np.float32)
        hole[:, 10 + t : 16 + t, 12 + 2 * t : 18 + 2 * t] = 1.0
        waves = np.stack([np.sin(x + c + 0.6 * t * (x > 4)) * np.cos(y - c) for c in range(3)])
        halving.add(t, (waves * (1.0 - hole)).astype(np.float32), hole)
    return Source(levels=halving.levels(), clip="a" * 64, encoding={"knee": 0.1})


def run(folder: Path, shelf: Shelf) -> Infusion:
    """A run on a cache of its own."""
    return Infusion(
        source(shelf),
        SETTINGS,
        seed=0,
        take=0,
        store=Store(folder, on_damage=print),
        report=Report(),
        threads=1,
        memory=2**33,
    )


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> np.ndarray:
    """The fill as it is where there is memory for it."""
    return run(tmp_path_factory.mktemp("memory"), Shelf()).run()


def test_where_clips_lie_changes_no_bit(
    tmp_path: Path, in_memory: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything on disk, gone through a frame at a time; resumed from samples on disk, too."""
    for name in (
        "infusion_engine.diffusion.shelf._LEAST",
        "infusion_engine.diffusion.shelf.AT_ONCE",
    ):
        monkeypatch.setattr(name, 1)
    shelf = Shelf(tmp_path / "clips")
    filled = run(tmp_path / "cache", shelf).run()
    assert np.array_equal(filled, in_memory)
    assert np.array_equal(run(tmp_path / "cache", shelf).run(), in_memory)
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_full_disk_is_noticed_before_anything_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where there is something left to sample: a fill that is there needs no room."""
    done = run(tmp_path / "done", Shelf(tmp_path / "clips"))
    filled = done.run()
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(free=0))
    again = run(tmp_path / "done", Shelf(tmp_path / "clips"))
    assert np.array_equal(again.run(), filled)
    fresh = run(tmp_path / "fresh", Shelf(tmp_path / "clips"))
    with pytest.raises(StorageError, match="GiB on the disk"):
        fresh.run()
    assert fresh.store.load(Kind.FIT, fresh.stages[0].fit.key) is None


def test_what_is_measured_in_pieces_is_the_same_to_rounding(
    tmp_path: Path, in_memory: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means, memories and guesses of a clip that is too large for one look."""
    for module in ("pyramid", "moments", "memory", "guess"):
        monkeypatch.setattr(f"infusion_engine.diffusion.{module}.MEASURED", 3 * 48 * 40)
    filled = run(tmp_path, Shelf()).run()
    assert np.abs(filled - in_memory).max() < 2e-3 * in_memory.std()
    assert not np.array_equal(filled, in_memory)
