"""Reading: what fitting and sampling see, and that nothing under the matte is part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.key import ClipDigest
from infusion_engine.media.box import Box
from infusion_engine.media.encoding import Curve, Encoding
from infusion_engine.media.layer import WriteMode
from infusion_engine.media.read_frames import read_frames
from infusion_engine.media.region import Region
from infusion_engine.media.shot import Shot, open_shot
from infusion_engine.media.survey import survey
from infusion_node.wire.job import RenderJob

WritePicture = Callable[..., Path]

SIZE = (32, 48)
FRAMES = (1001, 1002, 1003)
ENCODING = Encoding(Curve.SYMMETRIC_LOG, knee=0.1, low=-0.5, high=8.0)
STRAIGHT = Encoding(Curve.STRAIGHT, knee=0.0, low=0.0, high=1.0)
NATIVE = Region(Box(0, 0, 48, 32), 48, 32)
HALF = Region(Box(0, 0, 48, 32), 24, 16)
ODD = Region(Box(4, 2, 45, 31), 32, 16)  # no whole factor: pixels are shared
REGIONS = pytest.mark.parametrize("region", [NATIVE, HALF, ODD], ids=["native", "half", "odd"])


@dataclass(frozen=True, eq=False)
class Clip:
    """All frames that were read."""

    x_0: np.ndarray
    """(3, T, H, W)."""
    hole: np.ndarray
    """(1, T, H, W)."""


@dataclass(frozen=True, eq=False)
class Made:
    """A clip and the digest of what it was made from."""

    clip: Clip
    digest: str

    @property
    def bits(self) -> tuple[bytes, bytes, str]:
        """Everything of it, to be compared."""
        return self.clip.x_0.tobytes(), self.clip.hole.tobytes(), self.digest


def plates() -> np.ndarray:
    """(T, H, W, 3) float32, a fire's range: below 0 and up to 60."""
    rng = np.random.default_rng(0)
    return np.clip(np.exp(rng.normal(-1, 1.5, (3, *SIZE, 3))) - 0.1, -0.1, 60).astype(np.float32)


def mattes() -> np.ndarray:
    """(T, H, W) float32: a soft block that drifts; one edge is all but invisible."""
    matte = np.zeros((3, *SIZE), np.float32)
    for t in range(3):
        matte[t, 9 + t : 20 + t, 13 : 26 + t] = 1.0
        matte[t, 9 + t, 13 : 26 + t] = 1e-6
    return matte


@pytest.fixture
def shoot(tmp_path: Path, write_picture: WritePicture) -> Callable[..., Shot]:
    """Writes plates (T, H, W, 3) and mattes (T, H, W) as EXR and opens them as a shot."""
    count = 0

    def written(plate: np.ndarray, matte: np.ndarray) -> Shot:
        nonlocal count
        count += 1
        folder = tmp_path / str(count)
        for frame, pixels, values in zip(FRAMES, plate, matte, strict=False):
            colours = {name: pixels[..., i] for i, name in enumerate("RGB")}
            write_picture(folder / f"plate/p.{frame}.exr", colours)
            write_picture(folder / f"matte/m.{frame}.exr", {"A": values})
        return open_shot(RenderJob(str(folder / "plate"), "out", matte=str(folder / "matte")))

    return written


def made(shot: Shot, region: Region = NATIVE, encoding: Encoding = ENCODING) -> Made:
    """The shot's clip and digest."""
    digest, frames = ClipDigest(), list[tuple[np.ndarray, np.ndarray]]()

    def keep(index: int, x_0: np.ndarray, hole: np.ndarray) -> None:
        assert index == len(frames)
        frames.append((x_0, hole))

    read_frames(shot, region, encoding, on_bits=digest.add_frame, on_clip=keep, on_frame=ignore)
    x_0, hole = (np.stack(planes, axis=1) for planes in zip(*frames, strict=True))
    return Made(Clip(x_0, hole), digest.hexdigest())


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


@REGIONS
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 65504.0, -1e9, 1e-40])
def test_no_value_under_the_matte_has_any_influence(
    shoot: Callable[..., Shot], region: Region, poison: float
) -> None:
    """Every hidden pixel replaced by an extreme: the same clip, digest and encoding."""
    plate, matte = plates(), mattes()
    clean = shoot(plate, matte)
    poisoned = shoot(np.where(matte[..., None] > 0, np.float32(poison), plate), matte)
    assert made(clean, region).bits == made(poisoned, region).bits
    looks = [survey(s, mode=WriteMode.LAYER, on_frame=ignore) for s in (clean, poisoned)]
    assert looks[0] == looks[1]


@REGIONS
def test_every_known_pixel_has_influence(shoot: Callable[..., Shot], region: Region) -> None:
    """One known pixel changed in its last bit is another digest; changed by more, another clip."""
    plate, matte = plates(), mattes()
    before = made(shoot(plate, matte), region)
    changed = plate.copy()
    changed[1, 5, 7, 2] = np.nextafter(changed[1, 5, 7, 2], np.float32(99))
    assert made(shoot(changed, matte), region).digest != before.digest
    changed[1, 5, 7, 2] = 7.0
    assert not np.array_equal(made(shoot(changed, matte), region).clip.x_0, before.clip.x_0)


def test_the_matte_is_part_of_the_digest(shoot: Callable[..., Shot]) -> None:
    """Its softness too, though the hole is the same."""
    matte = mattes()
    softer = np.where(matte == 1.0, np.float32(0.5), matte)
    first, second = made(shoot(plates(), matte)), made(shoot(plates(), softer))
    assert first.digest != second.digest
    assert np.array_equal(first.clip.hole, second.clip.hole)


def test_native_pixels_are_encoded_one_by_one(shoot: Callable[..., Shot]) -> None:
    """x_0 is the encoded plate where it is known and 0 elsewhere; the hole is matte > 0."""
    plate, matte = plates(), mattes()
    clip = made(shoot(plate, matte)).clip
    assert clip.x_0.shape == (3, 3, *SIZE)
    assert clip.hole.shape == (1, 3, *SIZE)
    assert clip.x_0.dtype == clip.hole.dtype == np.float32
    assert np.array_equal(clip.hole[0], (matte > 0).astype(np.float32))
    expected = np.where(matte[..., None] > 0, np.float32(0), ENCODING.encode(plate))
    assert np.array_equal(clip.x_0, np.moveaxis(expected, 3, 0))


def test_a_reduced_pixel_that_the_matte_touches_is_missing(shoot: Callable[..., Shot]) -> None:
    """However little of it, and however faint the matte is there."""
    matte = np.zeros((3, *SIZE), np.float32)
    matte[0, 11, 17] = 1e-6
    matte[2, 8:10, 20:24] = 1.0
    clip = made(shoot(plates(), matte), HALF).clip
    expected = matte.reshape(3, 16, 2, 24, 2).max((2, 4)) > 0
    assert np.array_equal(clip.hole[0, :, :16, :24] > 0, expected)
    assert not clip.x_0[:, clip.hole[0] > 0].any()


def test_a_reduced_pixel_is_the_mean_of_what_it_covers(shoot: Callable[..., Shot]) -> None:
    """In the encoded range, where noise and texture are alike at all levels of light."""
    plate = plates()
    clip = made(shoot(plate, np.eye(32, 48, dtype=np.float32)[None].repeat(3, 0)), HALF).clip
    mean = ENCODING.encode(plate).reshape(3, 16, 2, 24, 2, 3).mean((2, 4))
    seen = clip.hole[0, :, :16, :24] == 0
    assert seen.any()
    found = np.moveaxis(clip.x_0[:, :, :16, :24], 0, 3)
    assert np.allclose(found[seen], mean[seen], atol=1e-5)


def test_pixels_that_are_not_numbers_are_missing(shoot: Callable[..., Shot]) -> None:
    """NaN or Inf in any channel: part of the hole, and never part of x_0."""
    plate = plates()
    plate[0, 2, 3, 0], plate[1, 4, 5, 1], plate[2, 6, 7] = np.nan, np.inf, -np.inf
    clip = made(shoot(plate, mattes())).clip
    for t, y, x in ((0, 2, 3), (1, 4, 5), (2, 6, 7)):
        assert clip.hole[0, t, y, x] == 1.0
        assert not clip.x_0[:, t, y, x].any()
    assert np.isfinite(clip.x_0).all()


def test_a_reduced_pixel_needs_half_of_its_area(shoot: Callable[..., Shot]) -> None:
    """One NaN of four leaves the mean of three; three of four leave nothing."""
    plate = plates()
    plate[0, 2, 2] = np.nan
    plate[0, 4, 4], plate[0, 4, 5], plate[0, 5, 4] = np.nan, np.nan, np.nan
    clip = made(shoot(plate, mattes()), HALF).clip
    assert (clip.hole[0, 0, 1, 1], clip.hole[0, 0, 2, 2]) == (0.0, 1.0)
    others = ENCODING.encode(plate[0, [2, 3, 3], [3, 2, 3]]).mean(0)
    assert clip.x_0[:, 0, 1, 1] == pytest.approx(others, abs=1e-5)


def test_padding_is_missing(shoot: Callable[..., Shot]) -> None:
    """Rows and columns that only the network needs are no part of the plate."""
    region = Region(Box(3, 5, 40, 28), 37, 23)
    clip = made(shoot(plates(), mattes()), region).clip
    assert clip.x_0.shape == (3, 3, 24, 40)
    assert bool((clip.hole[:, :, 23:] == 1.0).all())
    assert bool((clip.hole[:, :, :, 37:] == 1.0).all())
    assert not clip.x_0[:, :, 23:].any()
    assert not clip.x_0[..., 37:].any()
    whole = made(shoot(plates(), mattes())).clip
    assert np.array_equal(clip.x_0[:, :, :23, :37], whole.x_0[:, :, 5:28, 3:40])


def test_what_lies_outside_the_region_has_no_influence(shoot: Callable[..., Shot]) -> None:
    """A pixel beyond the region's box changes neither clip nor digest."""
    region = Region(Box(8, 6, 40, 26), 32, 16)
    plate = plates()
    before = made(shoot(plate, mattes()), region)
    plate[:, :6], plate[:, 26:], plate[:, :, :8], plate[:, :, 40:] = 1.0, 2.0, np.nan, 4.0
    assert made(shoot(plate, mattes()), region).bits == before.bits


def test_integer_plates_go_straight(tmp_path: Path, write_picture: WritePicture) -> None:
    """8-bit values become [-1, 1], and a zero-valued plate pixel is not a missing one."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    pixels[0, 0] = 0
    write_picture(tmp_path / "p/p.0001.png", {n: pixels[..., i] for i, n in enumerate("RGB")})
    matte = (mattes()[0] > 0).astype(np.uint8) * 255
    write_picture(tmp_path / "m/m.0001.png", {"Y": matte})
    shot = open_shot(RenderJob(str(tmp_path / "p"), "out", matte=str(tmp_path / "m")))
    clip = made(shot, encoding=STRAIGHT).clip
    known = matte == 0
    expected = pixels.astype(np.float64) / 255 * 2 - 1
    assert np.allclose(np.moveaxis(clip.x_0[:, 0], 0, 2)[known], expected[known], atol=1e-6)
    assert clip.hole[0, 0, 0, 0] == 0.0
    assert clip.x_0[:, 0, 0, 0].tolist() == [-1.0, -1.0, -1.0]


def test_each_frame_is_told_and_may_stop_the_reading(shoot: Callable[..., Shot]) -> None:
    """(done, total) after each; what the caller raises comes out."""
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        read_frames(
            shoot(plates(), mattes()),
            NATIVE,
            ENCODING,
            on_bits=ClipDigest().add_frame,
            on_clip=lambda _index, _x_0, _hole: None,
            on_frame=stop,
        )
    assert told == [(1, 3), (2, 3)]
