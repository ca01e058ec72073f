"""Tests of the still shot's generator, run as a user runs it, on a small picture."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest

FRAMES = 32


def _make(checkout: Path, folder: Path, *extra: str) -> Path:
    script = checkout / "examples" / "still" / "make_plate.py"
    size = ("--width", "64", "--height", "40", "--frames", str(FRAMES))
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
    return np.stack([next(iter(OpenEXR.File(str(p)).channels().values())).pixels for p in paths])


@pytest.fixture(scope="module")
def shot(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator's folders."""
    return _make(checkout, tmp_path_factory.mktemp("still"))


def test_what_is_covered_is_hidden_for_long_and_seen_before_and_after(shot: Path) -> None:
    """Each pixel of the hoist's way is hidden for more than half of the frames, in one go."""
    hidden = _read(shot, "matte") > 0
    times = hidden.sum(0)
    assert times[times > 0].min() >= 0.55 * FRAMES
    assert not hidden[0].any()
    assert not hidden[-1].any()
    assert (np.diff(hidden.astype(int), axis=0) == 1).sum(0).max() == 1
    assert 0.2 < (times > 0).mean() < 0.5


def test_a_pan_goes_over_one_place(checkout: Path, tmp_path: Path) -> None:
    """The wall goes to the left by as many pixels a frame; outside the matte nothing changes."""
    shot = _make(checkout, tmp_path, "--pan", "2")
    truth, still = _read(shot, "truth"), _read(shot, "still") > 0
    for frame in range(1, FRAMES):
        both = still[frame, :, :-2] & still[frame - 1, :, 2:]
        assert both.any()
        assert np.array_equal(truth[frame, :, :-2][both], truth[frame - 1, :, 2:][both])
    outside = _read(shot, "matte") == 0
    assert np.array_equal(_read(shot, "plate")[outside], truth[outside])


def test_the_default_shot_hides_for_sixty_frames(checkout: Path) -> None:
    """120 frames: for 66 of them the hoist is before each pixel, beside what the matte adds."""
    made = runpy.run_path(str(checkout / "examples" / "still" / "make_plate.py"))
    way = made["way_through"](120, 96, 160)
    assert way.tall / way.speed == pytest.approx(66)
    assert way.tall > 96


def test_the_wall_never_changes_and_the_water_always_does(shot: Path) -> None:
    """The same bits in every frame on one side; on the other each frame resembles the next."""
    truth, still = _read(shot, "truth"), _read(shot, "still")[0] > 0
    assert truth.dtype == np.float16
    assert (truth[:, still] == truth[0, still]).all()
    assert truth[0, still].min() > 0.01  # relative errors are told of it
    assert truth[0, still].max() > 2.0
    water = np.log(truth[:, ~still].astype(np.float64))
    assert (water[1:] != water[:-1]).mean() > 0.9
    assert 0.6 < np.corrcoef(water[10].ravel(), water[11].ravel())[0, 1] < 0.99
    covered = (_read(shot, "matte") > 0).any(0)
    assert (covered & still).any()
    assert (covered & ~still).any()


def test_plate_and_truth_are_the_same_bits_outside_the_matte(shot: Path) -> None:
    """Where the matte is 0 nothing was in front; where it is 1 the hoist was."""
    plate, truth, matte = (_read(shot, kind) for kind in ("plate", "truth", "matte"))
    np.testing.assert_array_equal(plate[matte == 0], truth[matte == 0])
    assert (plate[matte == 1] != truth[matte == 1]).any(-1).mean() > 0.8


def test_the_seed_decides_everything(checkout: Path, shot: Path, tmp_path: Path) -> None:
    """The same seed is the same plate, another seed another shot."""
    again = _read(_make(checkout, tmp_path / "again"), "plate")
    other = _read(_make(checkout, tmp_path / "other", "--seed", "8"), "plate")
    np.testing.assert_array_equal(again, _read(shot, "plate"))
    assert (other != again).mean() > 0.5


def test_too_few_frames_are_refused(checkout: Path, tmp_path: Path) -> None:
    """There is none in which the hoist could come and go."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _make(checkout, tmp_path, "--frames", "12")
    assert b"too few" in caught.value.stderr
