"""Tests of comparing sequences on disk: what is read, and what is refused."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
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
from infusion_engine.evaluate.perceptual import PerceptualFigures

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
    comparison = Comparison(result=result, truth=truth, matte=matte)
    return compare(replace(comparison, **changes)).figures


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


@pytest.fixture
def noise(tmp_path: Path) -> Callable[[int], Comparison]:
    """Makes a folder of so many frames of noise, two takes among it, and how to compare them."""

    def make(frames: int) -> Comparison:
        folder = tmp_path / str(frames)
        rng = np.random.default_rng(frames)
        for name in ("result", "truth", "take", "matte"):
            (folder / name).mkdir(parents=True)
            for frame in range(1, frames + 1):
                pixels = rng.integers(0, 256, (200, 200, 3), np.uint8)
                if name == "matte":
                    pixels = np.zeros((200, 200), np.uint8)
                    pixels[100, 98:102] = 255
                Image.fromarray(pixels).save(folder / name / f"f.{frame:03d}.png")
        result, truth, take, matte = (
            str(folder / name) for name in ("result", "truth", "take", "matte")
        )
        return Comparison(result=result, truth=truth, matte=matte, takes=(take,))

    return make


def test_memory_does_not_grow_with_the_frames(noise: Callable[[int], Comparison]) -> None:
    """Four times the frames need less than one frame more, though every figure is gathered."""
    peaks = []
    for comparison in (noise(4), noise(8), noise(32)):  # the first also pays for what loads once
        tracemalloc.start()
        report = compare(comparison)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.swd3d is not None
        assert report.takes is not None
    one_frame = 200 * 200 * 3 * 4
    assert peaks[2] - peaks[1] < one_frame


def test_every_family_hangs_together(
    noise: Callable[[int], Comparison], weights: Path, means: Path
) -> None:
    """With weights, network and a take nothing is left out, and the truth in place scores best."""
    comparison = replace(noise(8), weights=weights, features=means, feature_frames=3)
    report = compare(comparison)
    best = compare(replace(comparison, result=comparison.truth))
    assert best.swd3d == 0.0
    assert report.swd3d is not None
    assert report.swd3d > 0.0
    assert best.perceptual == PerceptualFigures(0.0, 0.0)
    assert report.perceptual is not None
    assert report.perceptual.perceptual is not None
    assert report.perceptual.perceptual > 0.0
    assert report.frechet is not None
    assert (report.frechet.fvd_windows, report.frechet.fvd_features) == (6, 3)
    assert report.takes is not None
    assert report.takes.takes == 2


def test_what_nobody_asked_for_is_left_out(noise: Callable[[int], Comparison]) -> None:
    """Without weights, network and takes there are no such figures."""
    report = compare(replace(noise(3), takes=()))
    assert (report.perceptual, report.frechet, report.takes) == (None, None, None)


def test_a_missing_frame_of_a_take_is_named(noise: Callable[[int], Comparison]) -> None:
    """Before any pixel is read: takes have to hold the frames of the result."""
    comparison = noise(3)
    (Path(comparison.takes[0]) / "f.003.png").unlink()
    with pytest.raises(SequenceError, match=r"take/f\.003\.png is missing"):
        compare(comparison)


def test_the_layer_is_that_of_takes_too(shot: Path) -> None:
    """The layer of every take holds the truth; the files' own RGB does not, and both differ."""
    result, truth, matte = (str(shot / name) for name in ("result", "truth", "matte"))
    shutil.copytree(shot / "result", shot / "take")
    for frame in FRAMES:
        path = shot / "take" / f"comp.{frame}.exr"
        channels = {name: c.pixels.copy() for name, c in OpenEXR.File(str(path)).channels().items()}
        channels["RGB"] = np.ones_like(channels["RGB"])
        _write(path, channels)
    comparison = Comparison(result, truth, matte, takes=(str(shot / "take"),))
    own, layer = compare(comparison).takes, compare(replace(comparison, layer="fill")).takes
    assert own is not None
    assert layer is not None
    assert layer.diversity == 0.0
    assert own.diversity is not None
    assert own.diversity > 0.0
