"""Averaging frames: means, rounded, of the same names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.averaging import average


def sample(folder: Path, *values: int) -> Path:
    """Frames of one value each."""
    folder.mkdir()
    for index, value in enumerate(values):
        pixels = np.full((2, 3, 3), value, np.uint8)
        Image.fromarray(pixels).save(folder / f"f.{index}.png")
    return folder


def read(file: Path) -> np.ndarray:
    """(H, W, 3) uint8."""
    return np.asarray(Image.open(file))


def test_the_mean_is_that_of_each_frame(tmp_path: Path) -> None:
    """Rounded to the nearest value, and never wrapped around at 255."""
    folders = [sample(tmp_path / n, *v) for n, v in (("a", (250, 0)), ("b", (251, 3)))]

    average([*folders, sample(tmp_path / "c", 255, 5)], tmp_path / "mean")

    assert np.unique(read(tmp_path / "mean" / "f.0.png")).tolist() == [252]
    assert np.unique(read(tmp_path / "mean" / "f.1.png")).tolist() == [3]


def test_what_all_samples_share_stays_bit_for_bit(tmp_path: Path) -> None:
    """The mean of equal pixels is that pixel: outside the matte nothing changes."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "f.png")

    average([tmp_path / name for name in ("a", "b", "c")], tmp_path / "mean")

    np.testing.assert_array_equal(read(tmp_path / "mean" / "f.png"), pixels)


def test_samples_of_different_frames_are_refused(tmp_path: Path) -> None:
    """A mean over fewer samples than the others is none."""
    folders = [sample(tmp_path / "a", 1, 2), sample(tmp_path / "b", 1)]

    with pytest.raises(ValueError, match="the same PNG frames"):
        average(folders, tmp_path / "mean")


def test_nothing_to_average_is_refused(tmp_path: Path) -> None:
    """An empty folder has no mean."""
    with pytest.raises(ValueError, match="the same PNG frames"):
        average([sample(tmp_path / "a")], tmp_path / "mean")
