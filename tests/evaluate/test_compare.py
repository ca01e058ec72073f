"""Tests of comparing sequences on disk, through the command where it is what a user meets."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
from PIL import Image

from infusion_engine.errors import FrameError, InputError, SequenceError
from infusion_engine.evaluate.compare import Comparison, compare
from infusion_engine.evaluate.figures import Figures

FRAMES = range(1001, 1005)
SIZE = (18, 24)


def _write(path: Path, channels: dict[str, npt.NDArray[np.float16]]) -> None:
    path.parent.mkdir(exist_ok=True)
    OpenEXR.File({"type": OpenEXR.scanlineimage}, channels).write(str(path))


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A folder with truth, matte and a result whose layer `fill` is right and whose RGB is not."""
    rng = np.random.default_rng(3)
    for frame in FRAMES:
        truth = rng.uniform(-0.1, 40.0, (*SIZE, 3)).astype(np.float16)
        matte = np.zeros(SIZE, np.float16)
        matte[5:12, frame - 998 : frame - 988] = 1.0
        matte[4, 5] = 0.01  # a trace of matte is hole too
        result = truth.copy()
        result[matte > 0] = 0.0
        # OpenEXR writes a strided view as if it were contiguous, so each channel is copied.
        layer = {f"fill.{c}": np.ascontiguousarray(truth[..., i]) for i, c in enumerate("RGB")}
        _write(tmp_path / "truth" / f"plate.{frame}.exr", {"RGB": truth})
        _write(tmp_path / "matte" / f"roto.{frame}.exr", {"A": matte})
        _write(tmp_path / "result" / f"comp.{frame}.exr", {"RGB": result, **layer})
    return tmp_path


def _compare(shot: Path, **changes: Any) -> Figures:
    result, truth, matte = (str(shot / name) for name in ("result", "truth", "matte"))
    return compare(replace(Comparison(result=result, truth=truth, matte=matte), **changes))


def test_the_layer_is_scored_when_it_is_named(shot: Path) -> None:
    """The layer holds the truth; the file's own RGB does not."""
    layer, own = _compare(shot, layer="fill"), _compare(shot)
    assert (layer.psnr_hole, layer.detail, layer.motion, layer.outside) == (120.0, 1.0, 1.0, 0.0)
    assert layer.frames == len(FRAMES)
    assert layer.hole_pixels == len(FRAMES) * (7 * 10 + 1)
    assert own.psnr_hole is not None
    assert own.psnr_hole < 10.0
    assert own.detail == own.motion == 0.0
    assert own.outside == 0.0


def test_a_change_outside_the_matte_shows_in_the_files_own_values(shot: Path) -> None:
    """Half a unit on a bright pixel is half a unit, not what the display makes of it."""
    path = shot / "result" / "comp.1003.exr"
    pixels = OpenEXR.File(str(path)).channels()["RGB"].pixels.copy()
    pixels[0, 0] = OpenEXR.File(str(shot / "truth" / "plate.1003.exr")).channels()["RGB"].pixels[
        0, 0
    ] + np.float16(0.5)
    _write(path, {"RGB": pixels})
    assert _compare(shot, frames="1003-1003").outside == pytest.approx(0.5, abs=0.02)
    assert _compare(shot, frames="1001-1002").outside == 0.0


def test_display_referred_frames_are_scored_as_stored(tmp_path: Path) -> None:
    """8-bit PNG goes without any curve: 51 of 255 off is 0.2, which is 13.98 dB."""
    for folder, value in (("truth", 100), ("result", 151), ("matte", 255)):
        (tmp_path / folder).mkdir()
        for frame in (7, 8):
            pixels = np.full((8, 8, 3) if folder != "matte" else (8, 8), value, np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"f.{frame:03d}.png")
    assert _compare(tmp_path).psnr_hole == pytest.approx(13.979, abs=1e-3)


def test_a_layer_that_is_not_there_is_named_with_those_that_are(shot: Path) -> None:
    """The message lists the channels, so that the slip is seen at once."""
    with pytest.raises(InputError, match=r"comp\.1001\.exr has no layer 'full'.*fill\.R"):
        _compare(shot, layer="full")


def test_a_missing_frame_of_the_result_is_named(shot: Path) -> None:
    """A gap in the result is an error, not a shorter comparison."""
    (shot / "result" / "comp.1002.exr").unlink()
    with pytest.raises(SequenceError, match=r"comp\.1002\.exr is missing"):
        _compare(shot)


@pytest.mark.parametrize("size", [(9, 12), (36, 48)])
def test_a_result_of_another_size_is_refused(shot: Path, size: tuple[int, int]) -> None:
    """Both sizes stand in the message, whether the result is smaller or larger."""
    _write(shot / "result" / "comp.1001.exr", {"RGB": np.zeros((*size, 3), np.float16)})
    with pytest.raises(FrameError, match=rf"{size[1]}x{size[0]}.*24x18"):
        _compare(shot)


def test_floats_are_not_compared_with_integers(shot: Path) -> None:
    """A PNG of a scene-linear plate says nothing about the plate's values."""
    other = shot / "png"
    other.mkdir()
    for frame in FRAMES:
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(other / f"comp.{frame}.png")
    with pytest.raises(FrameError, match=r"stores uint8 and the truth half"):
        _compare(shot, result=str(other))


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [str(Path(sys.executable).parent / "infusion-evaluate"), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_prints_json_for_programs(shot: Path) -> None:
    """`--json` is one object with the same names as the figures, and nothing else."""
    arguments = [str(shot / name) for name in ("result", "truth")]
    run = _command(*arguments, "--matte", str(shot / "matte"), "--layer", "fill", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "frames": 4, "hole_pixels": 284, "psnr_hole": 120.0, "detail": 1.0, "motion": 1.0,
        "outside": 0.0,
    }  # fmt: skip


def test_the_command_prints_a_line_a_figure_for_people(shot: Path) -> None:
    """Each figure has a line with its value and its meaning."""
    pattern = str(shot / "result" / "comp.%04d.exr")
    run = _command(pattern, str(shot / "truth"), "--matte", str(shot / "matte"), "--layer", "fill")
    assert run.returncode == 0, run.stderr
    assert "120.00 dB" in run.stdout
    assert [line.split()[0] for line in run.stdout.splitlines()[1:]] == [
        "psnr_hole", "detail", "motion", "outside",
    ]  # fmt: skip


def test_the_command_fails_with_one_plain_message(shot: Path) -> None:
    """No traceback: what was looked for, and exit code 3."""
    run = _command(str(shot / "nowhere"), str(shot / "truth"), "--matte", str(shot / "matte"))
    assert run.returncode == 3
    assert "nowhere" in run.stderr
    assert "Traceback" not in run.stderr
