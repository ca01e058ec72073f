"""A camera that is followed: what other frames saw comes back, and every bit outside stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import OpenEXR
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.end_to_end.conftest import HEIGHT, WIDTH, ShotFiles, write_exr, write_picture

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]
ReadChannels = Callable[..., dict[str, np.ndarray]]
Paint = Callable[[np.ndarray], None]

FRAMES = range(1001, 1010)
PAN = 3
"""Pixels that the camera goes to the right in a frame: a hole of eight is soon seen again."""
HOLE = (slice(15, 23), slice(20, 28))
FOLLOWED = ("--set", "camera=followed", "--set", "still_frames=3")


@dataclass(frozen=True)
class Panned:
    """A shot of a still place."""

    shot: ShotFiles
    truths: dict[int, np.ndarray]
    """(H, W, 3) by frame: what the plate has under its matte, too."""


def place() -> np.ndarray:
    """(H, W, 3) texture from 0 to some ten, as wide as the camera goes."""
    rng = np.random.default_rng(2)
    size = (HEIGHT, WIDTH + PAN * len(FRAMES))
    layers = [gaussian_filter(rng.standard_normal(size), radius) for radius in (1.2, 4.0)]
    field = sum(layer / layer.std() for layer in layers)
    return np.asarray(np.exp(0.5 * field)[..., None] * np.array([1.0, 0.8, 0.5]))


@pytest.fixture
def pan(exr_shot: Callable[..., ShotFiles], tmp_path: Path) -> Callable[..., Panned]:
    """Writes the shot as half EXR: `pan(paint, name)`; `paint(pixels)` changes what is hidden."""

    def written(paint: Paint | None = None, name: str = "shot") -> Panned:
        truths = {}

        def change(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
            left = PAN * (frame - FRAMES[0])
            plate[:] = place()[:, left : left + WIDTH].astype(plate.dtype)
            truths[frame] = plate.copy()
            matte[:] = 0.0
            matte[HOLE] = 1.0
            if paint is not None:
                paint(plate[HOLE])

        return Panned(exr_shot(tmp_path / name, change, FRAMES), truths)

    return written


def blaze(pixels: np.ndarray) -> None:
    """What no fill may have seen."""
    pixels[:] = 60000.0


def wrong(output: Path, read: ReadChannels, truths: dict[int, np.ndarray]) -> float:
    """By what share of the truth the fill is off, in the middle of all."""
    found = []
    for frame, truth in truths.items():
        layer = read(output / f"fire.{frame}.exr")
        fill = np.stack([layer[f"infusion.{c}"] for c in "RGB"], axis=2)[HOLE]
        found.append(np.abs(fill / truth[HOLE].astype(np.float32) - 1.0))
    return float(np.median(np.concatenate(found)))


def test_what_other_frames_saw_comes_back(
    pan: Callable[..., Panned], render: Render, channels: ReadChannels, tmp_path: Path
) -> None:
    """To a hundredth, where the same few steps with frames as they are have no idea of it."""
    panned = pan(blaze)
    off = {}
    for name, more in (("followed", FOLLOWED), ("locked", ("--set", "still_frames=3"))):
        outcome = render(*panned.shot.arguments(tmp_path / name, tmp_path / "cache", *more))
        assert outcome.code == 0, outcome.message
        assert ("following" in outcome.phases) == (name == "followed")
        assert outcome.fitted == [0, 1, 2]  # neither found what the other made
        off[name] = wrong(tmp_path / name, channels, panned.truths)
    assert off["followed"] < 0.01
    assert off["locked"] > 0.1


def test_every_bit_outside_the_matte_stays(
    pan: Callable[..., Panned], render: Render, channels: ReadChannels, tmp_path: Path
) -> None:
    """Of the plate's channels everywhere, and of the layer where the matte is 0."""
    panned = pan()
    assert render(*panned.shot.arguments(tmp_path / "out", tmp_path / "c", *FOLLOWED)).code == 0
    for frame, plate in panned.shot.plates.items():
        found = channels(tmp_path / "out" / f"fire.{frame}.exr")
        outside = panned.shot.mattes[frame] == 0.0
        for index, name in enumerate("RGB"):
            bits = plate[..., index].view(np.uint16)
            assert np.array_equal(found[name].view(np.uint16), bits)
            layer = found[f"infusion.{name}"].view(np.uint16)
            assert np.array_equal(layer[outside], bits[outside])
        assert np.array_equal(found["infusion.A"], panned.shot.mattes[frame])


def test_what_is_hidden_cannot_leak(
    pan: Callable[..., Panned], render: Render, channels: ReadChannels, tmp_path: Path
) -> None:
    """The fill's bits are the same whatever stands under the matte."""
    fills = []
    for name, paint in (("plain", None), ("blaze", blaze)):
        panned = pan(paint, name)
        out = tmp_path / f"{name}-out"
        assert render(*panned.shot.arguments(out, tmp_path / f"{name}-c", *FOLLOWED)).code == 0
        found = [channels(out / f"fire.{frame}.exr") for frame in FRAMES]
        fills.append([one[f"infusion.{c}"][HOLE].tobytes() for one in found for c in "RGB"])
    assert fills[0] == fills[1]


def test_stages_end_with_the_same_bits(
    pan: Callable[..., Panned], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """The path is found when the shot is prepared, and all later stages go by it."""
    shot = pan().shot
    more = (*FOLLOWED, "--set", "fits_start=scratch")
    whole = render(*shot.arguments(tmp_path / "whole", tmp_path / "one", *more))
    assert whole.code == 0, whole.message
    command = shot.arguments(tmp_path / "parts", tmp_path / "shared", *more)
    fits = [("fit", "--interval", str(number)) for number in (2, 3, 1)]
    pieces = [("write", "--write-frames", frames) for frames in ("1005-1009", "1001-1004")]
    for stage in (("prepare",), *fits, ("sample", "--take", "1"), *pieces):
        outcome = render(*command, "--stage", *stage)
        assert outcome.code == 0, outcome.message
        assert ("following" in outcome.phases) == (stage[0] == "prepare")
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_changed_frame_is_noticed_when_it_is_written(
    pan: Callable[..., Panned], render: Render, tmp_path: Path
) -> None:
    """One that lies far from the hole in that frame, and is nevertheless part of the picture."""
    shot = pan().shot
    rewritten(shot)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *FOLLOWED)
    assert render(*command).code == 0
    for stage in (("prepare",), ("sample", "--take", "1")):
        assert render(*command, "--stage", *stage).code == 0
    shot.plates[1005][0, 0] = 5.0
    rewritten(shot)
    outcome = render(*command, "--stage", "write", "--write-frames", "1005-1005")
    assert outcome.code == 3
    assert "Frame 1005" in outcome.message


def rewritten(shot: ShotFiles) -> None:
    """The plate's files once more, and of one size whatever they hold."""
    for frame, plate in shot.plates.items():
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.NO_COMPRESSION}
        named = {name: plate[:, :, c].copy() for c, name in enumerate("RGB")}
        write_exr(shot.folder / f"plate/fire.{frame}.exr", OpenEXR.Part(header, named, ""))


def test_an_eight_bit_shot_is_followed(render: Render, tmp_path: Path) -> None:
    """Whole numbers have values between pixels, too."""
    mattes = {}
    for frame in FRAMES:
        left = PAN * (frame - FRAMES[0])
        shown = np.clip(place()[:, left : left + WIDTH] * 40.0, 0, 255).astype(np.uint8)
        write_picture(tmp_path / f"plate/fire.{frame}.png", shown)
        mattes[frame] = np.zeros((HEIGHT, WIDTH), np.float32)
        mattes[frame][HOLE] = 1.0
        matte = (mattes[frame] * 255).astype(np.uint8)[:, :, None]
        write_picture(tmp_path / f"matte/hole.{frame}.png", matte)
    shot = ShotFiles(tmp_path, {}, mattes)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *FOLLOWED))
    assert outcome.code == 0, outcome.message
    for frame in FRAMES:
        left = PAN * (frame - FRAMES[0])
        truth = np.clip(place()[:, left : left + WIDTH] * 40.0, 0, 255).astype(np.uint8)
        with Image.open(tmp_path / "out" / f"fire.{frame}.png") as picture:
            found = np.array(picture).astype(int)
        assert int(np.median(np.abs(found - truth)[HOLE])) <= 2
        outside = mattes[frame] == 0.0
        assert np.array_equal(found[outside], truth[outside])
