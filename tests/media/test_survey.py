"""The survey: one look at every frame finds the hole, the range, and any damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from infusion_engine.errors import FrameError, MatteError
from infusion_engine.media.box import Box
from infusion_engine.media.encoding import Curve
from infusion_engine.media.layer import WriteMode
from infusion_engine.media.shot import Shot, open_shot
from infusion_engine.media.survey import Survey, survey
from infusion_node.wire.job import RenderJob

WritePicture = Callable[..., Path]
Shoot = Callable[[np.ndarray, np.ndarray], Shot]

SIZE = (24, 40)
CORNER = (-6, 3)


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


def plates(frames: int = 3) -> np.ndarray:
    """(T, H, W, 3) half."""
    rng = np.random.default_rng(0)
    return np.exp(rng.normal(-1, 1, (frames, *SIZE, 3))).astype(np.float16)


@pytest.fixture
def shoot(tmp_path: Path, write_picture: WritePicture) -> Shoot:
    """Writes plates and mattes with a negative origin and opens them."""

    def written(plate: np.ndarray, matte: np.ndarray) -> Shot:
        for i, (pixels, values) in enumerate(zip(plate, matte, strict=True)):
            colours = {name: pixels[..., c] for c, name in enumerate("RGB")}
            for kind, channels in (("plate", colours), ("matte", {"A": values})):
                write_picture(
                    tmp_path / f"{kind}/{kind}.{1001 + i}.exr",
                    channels,
                    corner=CORNER,
                    display=(0, 0, 40, 30),
                )
        return open_shot(RenderJob(str(tmp_path / "plate"), "out", matte=str(tmp_path / "matte")))

    return written


def test_the_hole_of_each_frame_is_boxed(shoot: Shoot) -> None:
    """In the plate's absolute coordinates; an empty matte gives an empty box."""
    matte = np.zeros((3, *SIZE), np.float32)
    matte[0, 10:14, 12:20] = 1.0
    matte[2, 15, 30] = 1e-6
    found = survey(shoot(plates(), matte), mode=WriteMode.LAYER, on_frame=ignore)
    assert found.hole_pixels == 32  # of the first frame; the last has one
    x, y = CORNER
    assert found.holes[1001] == Box(12 + x, 10 + y, 20 + x, 14 + y)
    assert found.holes[1002].is_empty
    assert found.holes[1003] == Box(30 + x, 15 + y, 31 + x, 16 + y)
    assert found.hole == Box(12 + x, 10 + y, 31 + x, 16 + y)


def test_the_encoding_is_that_of_known_pixels(shoot: Shoot) -> None:
    """Scene-linear, with most of the known pixels within +-1."""
    matte = np.zeros((3, *SIZE), np.float32)
    matte[:, 10:14, 12:20] = 1.0
    plate = plates()
    encoding = survey(shoot(plate, matte), mode=WriteMode.LAYER, on_frame=ignore).encoding
    assert encoding is not None
    assert encoding.curve is Curve.SYMMETRIC_LOG
    assert 0.985 < np.mean(np.abs(encoding.encode(plate[matte == 0])) <= 1.0) < 1.0


def test_a_matte_that_is_empty_everywhere_needs_no_encoding(shoot: Shoot) -> None:
    """There is nothing to fill."""
    found = survey(
        shoot(plates(), np.zeros((3, *SIZE), np.float32)), mode=WriteMode.LAYER, on_frame=ignore
    )
    assert found.encoding is None
    assert found.hole.is_empty
    assert set(found.holes) == {1001, 1002, 1003}


def test_a_matte_that_covers_everything_is_refused(shoot: Shoot) -> None:
    """Nothing is left to learn from."""
    with pytest.raises(MatteError):
        survey(
            shoot(plates(), np.ones((3, *SIZE), np.float32)), mode=WriteMode.LAYER, on_frame=ignore
        )


def test_not_a_number_is_not_a_value(shoot: Shoot) -> None:
    """NaN and Inf among the known pixels have no part in the encoding."""
    plate = plates()
    plate[:, 0, :, 0], plate[:, 1, :, 1] = np.nan, np.inf
    matte = np.zeros((3, *SIZE), np.float32)
    matte[:, 10, 10] = 1.0
    encoding = survey(shoot(plate, matte), mode=WriteMode.LAYER, on_frame=ignore).encoding
    assert encoding is not None
    assert np.isfinite([encoding.knee, encoding.low, encoding.high]).all()


def test_every_frame_is_told(shoot: Shoot) -> None:
    """(done, total), in order."""
    told: list[tuple[int, int]] = []
    matte = np.zeros((3, *SIZE), np.float32)
    survey(
        shoot(plates(), matte),
        mode=WriteMode.LAYER,
        on_frame=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_damage_in_the_middle_of_the_range_is_found(shoot: Shoot) -> None:
    """Pixels that cannot be decoded, behind a header that is whole, name their frame."""
    matte = np.zeros((3, *SIZE), np.float32)
    matte[:, 10, 10] = 1.0
    shot = shoot(plates(), matte)
    path = shot.plate.path(1002)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(FrameError, match="1002"):
        survey(shot, mode=WriteMode.LAYER, on_frame=ignore)


@pytest.fixture
def in_parts(tmp_path: Path) -> Callable[..., Shot]:
    """Opens a shot whose matte is its A; of frames 1001-1004, 1003 has a damaged second part."""

    def opened(frames: str, handles: int) -> Shot:
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
        for frame, colour in enumerate(plates(4), start=1001):
            alpha = np.zeros(SIZE, np.float16)
            alpha[10:14, 12:20] = 1.0
            channels = {**{name: colour[..., c].copy() for c, name in enumerate("RGB")}, "A": alpha}
            beauty = OpenEXR.Part(dict(header), channels, "beauty")
            depth = OpenEXR.Part(dict(header), {"Z": colour[..., 0].copy()}, "depth")
            path = tmp_path / f"p.{frame}.exr"
            OpenEXR.File([beauty, depth]).write(str(path))
            if frame == 1003:
                path.write_bytes(path.read_bytes()[:-200] + b"\xff" * 200)
        return open_shot(RenderJob(str(tmp_path), "out", frames=frames, handles=handles))

    return opened


@pytest.mark.parametrize("mode", [WriteMode.LAYER, WriteMode.MERGED])
def test_damage_in_another_part_is_found(in_parts: Callable[..., Shot], mode: WriteMode) -> None:
    """It would be copied into the new file, so it is decoded now; the message names the part."""
    with pytest.raises(FrameError, match=r"p\.1003\.exr is damaged: .* part 1 \('depth'\)"):
        survey(in_parts("1001-1004", 0), mode=mode, on_frame=ignore)


def test_damage_that_writing_does_not_meet_is_no_hindrance(in_parts: Callable[..., Shot]) -> None:
    """A lone fill is made of the colour, and a handle is not written at all."""
    lone = survey(in_parts("1001-1004", 0), mode=WriteMode.FILL, on_frame=ignore)
    handle = survey(in_parts("1001-1002", 1), mode=WriteMode.LAYER, on_frame=ignore)
    assert (len(lone.holes), len(handle.holes)) == (4, 3)


def test_however_much_is_read_the_same_is_found(in_parts: Callable[..., Shot]) -> None:
    """Colour and matte taken from the whole file are those that are read alone."""
    shot = in_parts("1001-1002", 0)
    found = [survey(shot, mode=mode, on_frame=ignore) for mode in WriteMode]
    assert found[0] == found[1] == found[2]
    assert found[0].hole_pixels == 32


def test_the_hole_of_a_survey_is_the_union() -> None:
    """Empty boxes add nothing, wherever they are."""
    empty = Box(-6, 3, -6, 3)
    found = Survey(
        holes={1: empty, 2: Box(5, 5, 7, 9), 3: Box(-2, 6, 1, 7)}, encoding=None, hole_pixels=9
    )
    assert found.hole == Box(-2, 5, 7, 9)
