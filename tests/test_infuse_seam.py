"""The seam as a whole run mends it: at the very end, in the hole alone, from the same fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.infuse import Infusion, Source
from infusion_engine.progress import Report
from tests.tiny import TINY

HOLE = np.zeros((1, 3, 32, 32), np.float32)
HOLE[..., 8:22, 8:22] = 1.0


def run(folder: Path, *, pixels: int) -> tuple[np.ndarray, list[str]]:
    """The filled clip of a tiny run over waves, and what became of each interval's fit."""
    y, x = np.mgrid[0:32, 0:32] / 5.0
    frames = [np.stack([np.sin(x + c + t) * np.cos(y) for c in range(3)]) for t in range(3)]
    x_0 = np.stack(frames, 1).astype(np.float32) * (1 - HOLE)
    finest = PyramidLevel(torch.from_numpy(x_0), torch.from_numpy(HOLE))
    outcomes: list[str] = []
    filled = Infusion(
        Source((coarser(finest), finest), "a" * 64, {"knee": 0.1}),
        replace(TINY, seam_pixels=pixels, coarsest_hole_pixels=8),
        seed=0,
        take=0,
        store=Store(folder, on_damage=lambda _: None),
        report=Report(),
        threads=1,
        memory=2**33,
        on_interval=lambda done: outcomes.append(done.outcome),
    ).run()
    return filled, outcomes


def jump(filled: np.ndarray) -> float:
    """Mean size of the step from the hole's first column to the plate beside it."""
    return float(np.abs(filled[:, :, 8:22, 8] - filled[:, :, 8:22, 7]).mean())


def test_a_run_mends_its_seam_from_the_same_fits(tmp_path: Path) -> None:
    """Hardly fitted, the fill jumps at the edge; mended it jumps less, and the plate is as was."""
    as_it_was, _ = run(tmp_path, pixels=0)
    mended, outcomes = run(tmp_path, pixels=4)
    again, _ = run(tmp_path, pixels=0)

    assert outcomes == ["hit"] * 4
    assert jump(mended) < 0.8 * jump(as_it_was)
    changed = np.any(mended != as_it_was, axis=0)
    assert changed.any()
    assert not changed[HOLE[0] == 0].any()
    assert np.array_equal(again, as_it_was)
