"""A run whose levels are parts of the plate, sampled in pieces: the same fill, and no seam."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from infusion_engine.cache.store import Store
from infusion_engine.diffusion.halving import Halving
from infusion_engine.infuse import Infusion, Source
from infusion_engine.media.box import Box
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Network, Precision, Settings
from tests.tiny import TINY

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = replace(
    TINY,
    coarsest_hole_pixels=PRESETS["draft"].coarsest_hole_pixels,
    detail_intervals=1,
    settling_rounds=0,
    precision=Precision.FP32,
)
FRAMES, HEIGHT, WIDTH = 30, 200, 240
WHOLE = (Box(0, 0, 120, 100), Box(0, 0, 240, 200))
PARTS = (Box(4, 2, 110, 90), Box(8, 6, 200, 170))
"""The hole and more; the finer one's corner is even, and the coarser holds what lies beneath."""


class Warned(Report):
    """Remembers what the user is warned of."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warn(self, message: str, remedy: str = "") -> None:
        self.warnings.append(message + remedy)


def source(parts: tuple[Box, ...]) -> Source:
    """Moving waves with a hole that wanders through them, kept in those parts."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / 6.0
    halving = Halving(FRAMES, parts)
    for t in range(FRAMES):
        hole = np.zeros((1, HEIGHT, WIDTH), np.float32)
        hole[:, 60 + t : 80 + t, 60 + 2 * t : 80 + 2 * t] = 1.0
        waves = np.stack([np.sin(x + c + 0.4 * t) * np.cos(y - c) for c in range(3)])
        halving.add(t, (waves * (1.0 - hole)).astype(np.float32), hole)
    return Source(levels=halving.levels(), clip="a" * 64, encoding={"knee": 0.1})


def infusion(
    folder: Path,
    report: Report,
    *,
    memory: int = 2**33,
    parts: tuple[Box, ...] = WHOLE,
    settings: Settings = PLAIN,
) -> Infusion:
    """A run on a cache."""
    return Infusion(
        source(parts),
        settings,
        seed=0,
        take=0,
        store=Store(folder, on_damage=report.warn),
        report=report,
        threads=1,
        memory=memory,
    )


def test_pieces_that_fit_less_memory_give_the_same_fill(tmp_path: Path) -> None:
    """To rounding: the sum of many tiles is the one of few. Too little memory is said."""
    silent, warned = Warned(), Warned()
    one, other = (
        infusion(tmp_path / "whole", silent),
        infusion(tmp_path / "pieces", warned, memory=2**20),
    )
    asked: list[Infusion] = []
    for run in (one, other):
        run.model.register_forward_hook(lambda *_, run=run: asked.append(run))
    whole, pieces = one.run(), other.run()
    assert asked.count(other) > asked.count(one)
    assert not silent.warnings
    assert len(warned.warnings) == 2  # one for each level
    assert "--memory 1M is too little" in warned.warnings[0]
    assert np.abs(pieces - whole).max() < 1e-3 * whole.std()


@pytest.mark.parametrize("network", list(Network))
def test_only_our_coarsest_size_is_sampled_in_windows(tmp_path: Path, network: Network) -> None:
    """What the model is given there is as long as a training window; elsewhere it is the clip."""
    run = infusion(tmp_path, Report(), settings=replace(PLAIN, network=network))
    given: dict[int, set[int]] = {}  # frames, by width of what was looked at
    run.model.register_forward_pre_hook(
        lambda model, args: None if model.training else note(args[0].shape)
    )
    widths = [place[1].stop - place[1].start for place in run.places]

    def note(shape: torch.Size) -> None:
        level = 0 if shape[-1] <= widths[0] else 1
        given.setdefault(level, set()).add(shape[2])

    run.run()
    windowed = network is Network.RESIDUAL
    assert given == {0: {PLAIN.window_frames} if windowed else {FRAMES}, 1: {FRAMES}}


def test_a_part_is_filled_from_beneath_and_kept_as_it_is(tmp_path: Path) -> None:
    """The coarser part reaches further; known voxels are the plate's, and the hole is filled."""
    run = infusion(tmp_path, Report(), parts=PARTS)
    filled, finest = run.run(), run.levels[-1]
    assert filled.shape == (3, FRAMES, 164, 192)
    hole = np.broadcast_to(finest.hole.numpy() > 0, filled.shape)
    assert np.array_equal(filled[~hole], finest.x_0.numpy()[~hole])
    assert 0.2 < filled[hole].std() / filled[~hole].std() < 5.0


def test_noise_falls_where_it_falls_on_the_plate(tmp_path: Path) -> None:
    """However much is kept around the hole, its first sampled pixel is at the same place."""
    corners = [
        infusion(tmp_path, Report(), parts=parts)._scene(0).corner for parts in (WHOLE, PARTS)
    ]
    assert corners == [(6, 6), (6, 6)]
