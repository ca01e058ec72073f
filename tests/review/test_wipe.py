"""Tests of the wipe's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infusion_engine.media.box import Box
from infusion_engine.media.shot import Shot
from infusion_engine.review import wipe
from infusion_engine.review.onlooker import FillOf
from infusion_engine.review.wipe import write_wipe


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_plate_and_fill_of_every_frame_are_written(
    shot: Shot, holes: dict[int, Box], fill_of: FillOf, tmp_path: Path
) -> None:
    """Close up and whole; the fill differs from the plate in the hole and nowhere else."""
    told: list[tuple[int, int]] = []
    frames = write_wipe(
        shot, holes, fill_of, tmp_path / "w", on_frame=lambda *done: told.append(done)
    )
    assert [frame.frame for frame in frames] == [1001, 1002, 1003, 1004, 1005]
    assert told == [(done, 5) for done in range(1, 6)]
    plate, fill = (_pixels(tmp_path / "w" / name) for name in frames[1].whole)
    assert plate.shape == fill.shape == (90, 120, 3)
    assert (abs(plate.astype(int) - 20) <= 2).all()
    assert fill[31:37, 45:53].min() > 240
    assert (abs(fill[:, 60:].astype(int) - 20) <= 2).all()
    names = {name for frame in frames for name in (*frame.close, *frame.whole)}
    assert {path.name for path in (tmp_path / "w").iterdir()} == names


def test_the_close_up_stands_still(
    shot: Shot, holes: dict[int, Box], fill_of: FillOf, tmp_path: Path
) -> None:
    """It holds the hole of every frame, at the same place of the plate."""
    frames = write_wipe(shot, holes, fill_of, tmp_path, on_frame=lambda *_: None)
    fills = [_pixels(tmp_path / frame.close[1]) for frame in frames]
    assert {fill.shape for fill in fills} == {(8 + 48, 10 + 12 + 48, 3)}
    lefts = [int((fill[28, :, 0] > 200).argmax()) for fill in fills[:4]]
    assert lefts == [24, 28, 32, 36]


def test_a_long_shot_leaves_frames_out(
    shot: Shot,
    holes: dict[int, Box],
    fill_of: FillOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Evenly, and never the first or the last."""
    monkeypatch.setattr(wipe, "MOST_FRAMES", 3)
    frames = write_wipe(shot, holes, fill_of, tmp_path, on_frame=lambda *_: None)
    assert [frame.frame for frame in frames] == [1001, 1003, 1005]


def test_without_a_hole_there_is_no_wipe(shot: Shot, tmp_path: Path) -> None:
    """Nothing is written where there is nothing to compare."""
    empty = dict.fromkeys(shot.frames, Box(0, 0, 0, 0))
    assert write_wipe(shot, empty, lambda _: None, tmp_path, on_frame=lambda *_: None) == ()
    assert {path.name for path in tmp_path.iterdir()} == {"plate", "matte"}
