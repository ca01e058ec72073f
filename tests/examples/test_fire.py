"""Tests of the demo's plate generator, run as a user runs it, on a small picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest

FRAMES = 3


def _make(checkout: Path, folder: Path, *extra: str) -> Path:
    script = checkout / "examples" / "fire" / "make_plate.py"
    size = ("--width", "96", "--height", "54", "--frames", str(FRAMES))
    subprocess.run(
        [sys.executable, str(script), str(folder), *size, *extra],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


def _read(folder: Path, kind: str) -> npt.NDArray[np.float16]:
    """All frames, (T, H, W, 3) or (T, H, W)."""
    paths = sorted((folder / kind).iterdir())
    names = [f"fire.{frame}.exr" for frame in range(1001, 1001 + FRAMES)]
    assert [path.name for path in paths] == names
    return np.stack([next(iter(OpenEXR.File(str(p)).channels().values())).pixels for p in paths])


@pytest.fixture(scope="module")
def fire(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator's folders."""
    return _make(checkout, tmp_path_factory.mktemp("fire"))


def test_the_plate_is_scene_linear_half_float(fire: Path) -> None:
    """Its core is far above 1, its blacks dip below 0, and nothing runs away."""
    truth = _read(fire, "truth")
    assert truth.dtype == np.float16
    assert truth.shape == (FRAMES, 54, 96, 3)
    assert 20.0 < truth.max() < 100.0
    assert -0.2 < truth.min() < 0.0
    assert np.isfinite(truth).all()


def test_plate_and_truth_are_the_same_bits_outside_the_matte(fire: Path) -> None:
    """Where the matte is 0 nothing was in front; where it is 1 something was."""
    plate, truth, matte = (_read(fire, kind) for kind in ("plate", "truth", "matte"))
    np.testing.assert_array_equal(plate[matte == 0], truth[matte == 0])
    assert (plate[matte == 1] != truth[matte == 1]).any(-1).mean() > 0.6
    assert 0.02 < (matte > 0).mean() < 0.2
    assert (matte.min(), matte.max()) == (0.0, 1.0)


def test_the_figure_and_the_fire_move(fire: Path) -> None:
    """From frame to frame the matte moves on, and the fire changes but stays itself."""
    matte, truth = _read(fire, "matte"), np.log1p(np.clip(_read(fire, "truth"), 0, None))
    assert (matte[0] != matte[1]).any()
    apart = np.corrcoef(truth[0].ravel(), truth[1].ravel())[0, 1]
    assert 0.7 < apart < 0.999


def test_the_seed_decides_everything(checkout: Path, fire: Path, tmp_path: Path) -> None:
    """The same seed is the same plate, another seed another fire."""
    again = _read(_make(checkout, tmp_path / "again"), "plate")
    other = _read(_make(checkout, tmp_path / "other", "--seed", "8"), "plate")
    np.testing.assert_array_equal(again, _read(fire, "plate"))
    assert (other != again).mean() > 0.5
