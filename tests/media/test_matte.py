"""The matte as used: its files, its channel, and how it is inverted, grown and feathered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.errors import FrameError, MatteError, UsageError
from infusion_engine.media.image_io import PixelType
from infusion_engine.media.matte import MatteShaping, normalised, shaped
from infusion_engine.media.shot import Shot, open_shot
from infusion_node.wire.job import RenderJob

WritePicture = Callable[..., Path]
SIZE = (12, 16)


def colour(size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    """A grey half-float picture."""
    return {name: np.full(size, 0.5, np.float16) for name in "RGB"}


def blob(value: float = 1.0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """float32 (H, W), `value` in rows 3 to 5 and columns 4 to 8."""
    matte = np.zeros(size, np.float32)
    matte[3:6, 4:9] = value
    return matte


@pytest.fixture
def plate(tmp_path: Path, write_picture: WritePicture) -> Path:
    """Three frames of a half-float plate without alpha."""
    for frame in (1001, 1002, 1003):
        write_picture(tmp_path / f"plate/p.{frame}.exr", colour())
    return tmp_path / "plate"


def opened(plate: Path, matte: Path | None, **job: object) -> Shot:
    """The shot of that plate and matte."""
    text = None if matte is None else str(matte)
    return open_shot(RenderJob(str(plate), "out", matte=text).overridden(**job))


def dilated_by_hand(matte: np.ndarray, pixels: float) -> np.ndarray:
    """The largest value within Euclidean distance `pixels`, one offset at a time."""
    result = matte.copy()
    reach = int(pixels)
    height, width = matte.shape
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy * dy + dx * dx <= pixels * pixels:
                shifted = np.zeros_like(matte)
                shifted[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = matte[
                    max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
                ]
                result = np.maximum(result, shifted)
    return result


@pytest.mark.parametrize("pixels", [0.0, 0.5, 1.0, 1.5, 2.3, 5.0, 9.0])
def test_growing_takes_the_largest_value_within_reach(pixels: float) -> None:
    """Growing is a round dilation of soft values, up to the frame's edge."""
    rng = np.random.default_rng(3)
    matte = np.where(rng.random((23, 31)) > 0.97, rng.random((23, 31)), 0).astype(np.float32)
    grown = shaped(matte, grow=pixels, feather=0.0)
    np.testing.assert_array_equal(grown, dilated_by_hand(matte, pixels))


def test_growing_farther_than_the_frame_covers_it() -> None:
    """A distance beyond the frame's size is neither an error nor slow."""
    assert shaped(blob(0.25), grow=1e6, feather=0.0).min() == np.float32(0.25)


def test_a_feather_fades_linearly_outwards_and_leaves_the_inside() -> None:
    """Inside stays as it is; outside it falls to 0 one pixel beyond the feather."""
    matte = np.zeros((9, 30), np.float32)
    matte[:, :10] = 1.0
    feathered = shaped(matte, grow=0.0, feather=4.0)
    np.testing.assert_array_equal(feathered[:, :10], 1.0)
    np.testing.assert_allclose(feathered[4, 10:16], [0.8, 0.6, 0.4, 0.2, 0.0, 0.0], atol=1e-6)


def test_a_feather_of_a_soft_edge_starts_from_its_solid_part() -> None:
    """An antialiased edge does not swallow the feather, and no value gets smaller."""
    matte = np.zeros((9, 30), np.float32)
    matte[:, :10] = 1.0
    matte[:, 10] = 0.1
    feathered = shaped(matte, grow=0.0, feather=4.0)
    np.testing.assert_allclose(feathered[4, 10:14], [0.8, 0.6, 0.4, 0.2], atol=1e-6)


def test_a_feather_of_many_values_follows_the_largest_fade() -> None:
    """Every soft value fades outwards; of all fades the largest counts, within an eighth."""
    rng = np.random.default_rng(5)
    matte = np.where(rng.random((20, 25)) > 0.9, rng.random((20, 25)), 0).astype(np.float32)
    rows, columns = np.nonzero(matte)
    down, across = np.mgrid[:20, :25]
    distance = np.hypot(down[..., None] - rows, across[..., None] - columns)
    exact = (matte[rows, columns] * np.maximum(1 - distance / 5.0, 0)).max(axis=2)
    feathered = shaped(matte, grow=0.0, feather=4.0)
    assert (feathered >= matte).all()
    assert (feathered <= exact + 1e-6).all()
    assert (feathered >= exact - 0.125).all()


def test_growing_comes_before_feathering(tmp_path: Path) -> None:
    """The fade begins where the grown matte ends."""
    matte = np.zeros((1, 20), np.float32)
    matte[0, :5] = 1.0
    found = shaped(matte, grow=2.0, feather=1.0)
    np.testing.assert_allclose(found[0, 4:10], [1, 1, 1, 0.5, 0, 0])


def test_an_empty_matte_stays_empty() -> None:
    """Neither growing nor feathering makes something of nothing."""
    assert not shaped(np.zeros((5, 5), np.float32), grow=3.0, feather=3.0).any()


@pytest.mark.parametrize("pixels", [-1.0, float("nan"), float("inf")])
def test_shrinking_is_refused(pixels: float) -> None:
    """Only distances from 0 up are taken, and the message says where to shrink instead."""
    with pytest.raises(UsageError, match=r"grown by .*Shrink the matte where it is made"):
        MatteShaping(grow=pixels)
    with pytest.raises(UsageError, match="feathered by"):
        MatteShaping(feather=pixels)


def test_stored_values_become_zero_to_one() -> None:
    """Integers are divided by their type's maximum, floats are clipped."""
    eight = normalised(np.array([0, 51, 255], np.uint8), PixelType.UINT8)
    sixteen = normalised(np.array([0, 65535], np.uint16), PixelType.UINT16)
    floats = normalised(np.array([-1, 0.25, 7, np.inf, -np.inf], np.float32), PixelType.FLOAT)
    np.testing.assert_allclose(eight, [0, 0.2, 1])
    np.testing.assert_array_equal(sixteen, [0, 1])
    np.testing.assert_array_equal(floats, [0, 0.25, 1, 1, 0])
    assert {array.dtype for array in (eight, sixteen, floats)} == {np.dtype(np.float32)}


def test_a_matte_of_its_own_is_read_frame_by_frame(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """Each frame gets the matte of its own number."""
    for frame, value in ((1001, 0), (1002, 51), (1003, 255)):
        write_picture(tmp_path / f"m/m.{frame}.png", {"Y": np.full(SIZE, value, np.uint8)})
    shot = opened(plate, tmp_path / "m")
    assert shot.matte.channel == "Y"
    assert [float(shot.read_matte(frame)[0, 0]) for frame in shot.frames] == pytest.approx(
        [0, 0.2, 1]
    )


@pytest.mark.parametrize(
    "case",
    [
        (("R", "G", "B", "A"), None, "A"),
        (("mask.A",), None, "mask.A"),
        (("B", "G", "R"), None, "R"),
        (("R", "G", "B", "A"), "G", "G"),
        (("R", "G", "B", "mask.alpha"), "mask.alpha", "mask.alpha"),
    ],
)
def test_the_mattes_channel(
    plate: Path,
    tmp_path: Path,
    write_picture: WritePicture,
    case: tuple[tuple[str, ...], str | None, str],
) -> None:
    """A, else the only channel, else R, unless one is named; its values are the ones read."""
    names, asked, used = case
    channels = {name: blob(0.5 if name == used else 0.25) for name in names}
    still = write_picture(tmp_path / "m.exr", channels)
    shot = opened(plate, still, matte_channel=asked)
    assert shot.matte.channel == used
    np.testing.assert_array_equal(shot.read_matte(1002), blob(0.5))


@pytest.mark.parametrize("name", ["m.exr", "m.0007.exr"])
def test_a_lone_matte_holds_for_every_frame(
    plate: Path, tmp_path: Path, write_picture: WritePicture, name: str
) -> None:
    """A file without a number, or a single frame, is used throughout."""
    still = write_picture(tmp_path / "still" / name, {"A": blob()})
    shot = opened(plate, still)
    for frame in shot.frames_read:
        np.testing.assert_array_equal(shot.read_matte(frame), blob())


def test_the_plates_own_channel_is_the_matte(tmp_path: Path, write_picture: WritePicture) -> None:
    """Without files of its own the matte is the plate's A, or the channel that is named."""
    half = blob().astype(np.float16)
    path = write_picture(tmp_path / "p.1.exr", colour() | {"A": half, "mask.A": half / 2})
    np.testing.assert_array_equal(opened(path, None).read_matte(1), blob())
    shot = opened(path, None, matte_channel="mask.A")
    np.testing.assert_array_equal(shot.read_matte(1), blob(0.5))


def test_no_matte_at_all_lists_the_plates_channels(plate: Path) -> None:
    """A plate without A and no --matte is refused with the channels that there are."""
    with pytest.raises(UsageError, match=r"no channel 'A'.*B, G, R|R, G, B"):
        opened(plate, None)
    with pytest.raises(UsageError, match=r"no channel 'mask\.A'"):
        opened(plate, None, matte_channel="mask.A")


def test_an_unknown_channel_lists_the_mattes_channels(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """With both --matte and --matte-channel, the channel is looked for in the matte's files."""
    still = write_picture(tmp_path / "m.exr", {"x.Z": blob(), "y.Z": blob()})
    with pytest.raises(UsageError, match=r"'R'.* x\.Z, y\.Z"):
        opened(plate, still, matte_channel="R")
    with pytest.raises(UsageError, match=r"'A' or 'R'.* x\.Z, y\.Z"):
        opened(plate, still)


def test_an_inverted_matte_replaces_where_it_is_zero(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """Inverting comes before growing: the hole of an inverted matte grows."""
    still = write_picture(tmp_path / "m.exr", {"A": 1 - blob()})
    shot = opened(plate, still, matte_invert=True, matte_grow=1.0)
    np.testing.assert_array_equal(shot.read_matte(1001), dilated_by_hand(blob(), 1.0))


def test_unknown_matte_values_are_replaced(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """NaN says nothing about what may be kept, so it is replaced, inverted or not."""
    values = np.zeros(SIZE, np.float32)
    values[2, 3] = np.nan
    still = write_picture(tmp_path / "m.exr", {"A": values})
    assert opened(plate, still).read_matte(1001)[2, 3] == 1
    inverted = write_picture(tmp_path / "i.exr", {"A": np.where(np.isnan(values), values, 1)})
    found = opened(plate, inverted, matte_invert=True).read_matte(1001)
    assert (found[2, 3], found.sum()) == (1, 1)


def test_a_cropped_matte_is_zero_outside_its_window(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """A matte whose data window is the blob alone lies where the window says."""
    cut = blob()[3:6, 4:9]
    still = write_picture(tmp_path / "m.exr", {"A": cut}, corner=(4, 3), display=(0, 0, 16, 12))
    np.testing.assert_array_equal(opened(plate, still).read_matte(1001), blob())
    inverted = opened(plate, still, matte_invert=True).read_matte(1001)
    np.testing.assert_array_equal(inverted, 1 - blob())


def test_overscan_is_kept_by_an_inverted_matte(tmp_path: Path, write_picture: WritePicture) -> None:
    """A plate larger than its picture keeps what no matte pixel and no picture pixel covers."""
    plate = write_picture(
        tmp_path / "p.1.exr", colour((16, 20)), corner=(-2, -2), display=(0, 0, 16, 12)
    )
    black = write_picture(tmp_path / "m.png", {"Y": np.zeros(SIZE, np.uint8)})
    found = opened(plate, black, matte_invert=True).read_matte(1)
    assert found.shape == (16, 20)
    assert found[2:14, 2:18].min() == 1
    assert found.sum() == 12 * 16


def test_pictures_are_laid_corner_to_corner(tmp_path: Path, write_picture: WritePicture) -> None:
    """A PNG matte fits an EXR plate whose picture does not begin at 0, 0."""
    plate = write_picture(
        tmp_path / "p.1.exr", colour(), corner=(100, 50), display=(100, 50, 116, 62)
    )
    still = write_picture(tmp_path / "m.png", {"Y": (blob() * 255).astype(np.uint8)})
    np.testing.assert_array_equal(opened(plate, still).read_matte(1), blob())


def test_a_matte_of_another_size_is_refused_with_both(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """The picture's size must be the plate's."""
    still = write_picture(tmp_path / "m.exr", {"A": np.zeros((10, 16), np.float32)})
    with pytest.raises(MatteError, match=r"16x10.*16x12"):
        opened(plate, still)


def test_a_matte_frame_that_is_missing_is_named(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """The matte must cover every frame read, handles included."""
    for frame in (1001, 1002):
        write_picture(tmp_path / f"m/m.{frame}.exr", {"A": blob()})
    with pytest.raises(MatteError, match=r"lacks frame 1003 \('m\.1003\.exr'\)"):
        opened(plate, tmp_path / "m")
    assert len(opened(plate, tmp_path / "m", frames="1001-1002").frames) == 2
    with pytest.raises(MatteError, match="1003"):
        opened(plate, tmp_path / "m", frames="1001-1002", handles=1)


def test_matte_frames_must_be_alike(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """A channel that is missing or of another type in a later frame is found at once."""
    write_picture(tmp_path / "m/m.1001.exr", {"A": blob()})
    write_picture(tmp_path / "m/m.1002.exr", {"A": blob()})
    write_picture(tmp_path / "m/m.1003.exr", {"Z": blob()})
    with pytest.raises(MatteError, match=r"m\.1003\.exr.*'A'"):
        opened(plate, tmp_path / "m")


def test_object_numbers_are_no_matte(
    plate: Path, tmp_path: Path, write_picture: WritePicture
) -> None:
    """A uint32 channel holds numbers of objects and is refused by name."""
    still = write_picture(tmp_path / "m.exr", {"id": np.ones(SIZE, np.uint32)})
    with pytest.raises(FrameError, match=r"'id'.*32-bit integers"):
        opened(plate, still)
