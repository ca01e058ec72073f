"""A small shot on disk, for everything that draws one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infusion_engine.media.box import Box
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot, open_shot
from infusion_engine.review.onlooker import FillOf
from infusion_node.wire.job import RenderJob

SIZE = (90, 120)
"""(height, width)."""
FRAMES = (1001, 1002, 1003, 1004, 1005)
HOLELESS = 1005
"""The frame whose matte is empty."""


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Five grey PNG frames, each with a hole of 10 x 8 pixels that moves; the last has none."""
    for frame in FRAMES:
        plate = np.full((*SIZE, 3), 10 * (frame - 1000), np.uint8)
        matte = np.zeros(SIZE, np.uint8)
        if frame != HOLELESS:
            left = 40 + 4 * (frame - 1001)
            matte[30:38, left : left + 10] = 255
        for name, pixels in (("plate", plate), ("matte", matte)):
            path = tmp_path / name / f"{name}.{frame}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
    job = RenderJob(str(tmp_path / "plate"), str(tmp_path / "out"), str(tmp_path / "matte"))
    return open_shot(job)


@pytest.fixture
def holes(shot: Shot) -> dict[int, Box]:
    """The box around the hole of each frame."""
    return {frame: Box.around(shot.read_matte(frame) > 0, shot.canvas) for frame in shot.frames}


@pytest.fixture
def fill_of(shot: Shot, holes: dict[int, Box]) -> FillOf:
    """A fill that is white in every frame that has a hole."""

    def fill(frame: int) -> Fill | None:
        if holes[frame].is_empty:
            return None
        return Fill(
            box=shot.canvas, rgb=np.ones((*SIZE, 3), np.float32), matte=shot.read_matte(frame)
        )

    return fill
