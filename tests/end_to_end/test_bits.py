"""Bits: what comes out is the plate, bit for bit, but for the hole and the new layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
Channels = Callable[..., dict[str, np.ndarray]]
LAYER = tuple(f"infusion.{name}" for name in "RGBA")
AWKWARD = (0x7C00, 0xFC00, 0x7E01, 0xFD23, 0x8000, 0x7BFF, 0xFBFF, 0x0001)
"""Halves: both infinities, a quiet and a signalling NaN, -0, 65504 and -65504, a denormal."""
WINDOW = (np.array([-4, 6], np.int32), np.array([43, 45], np.int32))
DISPLAY = (np.array([0, 0], np.int32), np.array([39, 49], np.int32))


def same_bits(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two arrays of one type agree bit for bit."""
    assert one.dtype == other.dtype
    word = f"u{one.dtype.itemsize}"
    return np.asarray(one.view(word) == other.view(word))


@pytest.fixture(scope="module")
def rich_shot(
    tmp_path_factory: pytest.TempPathFactory, exr_shot: Callable[..., ShotFiles]
) -> ShotFiles:
    """A plate of two parts with half, float and uint channels, offset windows and metadata.

    Outside the hole lie NaN, infinities, -0 and 65504.
    """
    shot = exr_shot(tmp_path_factory.mktemp("rich"))
    for frame, plate in shot.plates.items():
        plate.view(np.uint16)[2, :8] = np.array(AWKWARD, np.uint16)[:, None]
        rng = np.random.default_rng(frame)
        main = {name: plate[:, :, c].copy() for c, name in enumerate("RGB")}
        size = plate.shape[:2]
        main["A"] = rng.integers(0, 2**16, size).astype(np.uint16).view(np.float16)
        main["Z"] = rng.integers(0, 2**32, size).astype(np.uint32).view(np.float32)
        main["id"] = rng.integers(0, 2**32, size).astype(np.uint32)
        motion = {
            "u": rng.integers(0, 2**32, size).astype(np.uint32).view(np.float32),
            "object": rng.integers(0, 2**32, size).astype(np.uint32),
        }
        OpenEXR.File(
            [
                OpenEXR.Part(header(frame), main, "beauty"),
                OpenEXR.Part(header(frame), motion, "motion"),
            ]
        ).write(str(shot.folder / f"plate/fire.{frame}.exr"))
    for frame, matte in shot.mattes.items():  # in the plate's display window, which it shares
        OpenEXR.File(header(frame), {"A": matte}).write(
            str(shot.folder / f"matte/hole.{frame}.exr")
        )
    return shot


def header(frame: int) -> dict[str, Any]:
    """A scanline part's header with windows off the origin and the metadata of a shoot."""
    return {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.ZIP_COMPRESSION,
        "dataWindow": WINDOW,
        "displayWindow": DISPLAY,
        "pixelAspectRatio": 2.0,
        "timeCode": OpenEXR.TimeCode(1, 2, 3, frame % 24, 0, 0, 0, 0, 0, 0, *range(8)),
        "chromaticities": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.3217, 0.3377),
        "capDate": "2025:03:04 05:06:07",
        "show/shot": "ab_010",
    }


def described(path: Path) -> list[dict[str, str]]:
    """Every part's attributes but its channels, as text, in order."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return [
            {name: str(value) for name, value in part.header.items() if name != "channels"}
            for part in file.parts
        ]


def check_layer(found: Mapping[str, np.ndarray], plate: np.ndarray, matte: np.ndarray) -> None:
    """The layer's RGB is the plate outside the hole and new inside, its A the matte as used."""
    np.testing.assert_array_equal(found["infusion.A"], matte.astype(np.float16))
    for colour, name in enumerate(LAYER[:3]):
        kept = same_bits(found[name], np.ascontiguousarray(plate[:, :, colour]))
        assert kept[matte == 0].all()
        assert kept[matte > 0].mean() < 0.1
        assert np.isfinite(found[name][matte > 0].astype(np.float64)).all()


def test_an_exr_gains_the_layer_and_keeps_all_else(
    rich_shot: ShotFiles, render: Render, channels: Channels, tmp_path: Path
) -> None:
    """Every channel of every part, every attribute, name and order; only the layer is new."""
    outcome = render(*rich_shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert outcome.code == 0, outcome.message
    names = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert names == [f"fire.{frame}.exr" for frame in rich_shot.plates]
    for frame, plate in rich_shot.plates.items():
        source = rich_shot.folder / f"plate/fire.{frame}.exr"
        target = tmp_path / f"out/fire.{frame}.exr"
        assert described(target) == described(source)
        assert [part["name"] for part in described(target)] == ["beauty", "motion"]
        for part, added in ((0, set(LAYER)), (1, set())):
            before, after = channels(source, part), channels(target, part)
            assert set(after) == set(before) | added
            assert all(same_bits(after[name], before[name]).all() for name in before)
        check_layer(channels(target), plate, rich_shot.mattes[frame])


def test_the_fill_alone(
    rich_shot: ShotFiles, render: Render, channels: Channels, tmp_path: Path
) -> None:
    """`--write fill` leaves the layer's four channels under the plate's windows and metadata."""
    more = ("--write", "fill", "--frames", "1002-1003", "--handles", "9")
    outcome = render(*rich_shot.arguments(tmp_path / "out", tmp_path / "cache", *more))

    assert outcome.code == 0, outcome.message
    assert outcome.all("frame", "frame") == [1002, 1003]
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
        "fire.1002.exr",
        "fire.1003.exr",
    ]
    for frame in (1002, 1003):
        target = tmp_path / f"out/fire.{frame}.exr"
        found = channels(target)
        assert set(found) == set(LAYER)
        check_layer(found, rich_shot.plates[frame], rich_shot.mattes[frame])
        (after,) = described(target)
        before = described(rich_shot.folder / f"plate/fire.{frame}.exr")[0]
        for name in ("dataWindow", "displayWindow", "timeCode", "pixelAspectRatio", "capDate"):
            assert after[name] == before[name]


def test_merged_into_the_plate(
    rich_shot: ShotFiles, render: Render, channels: Channels, tmp_path: Path
) -> None:
    """`--write merged` puts fill x A + plate x (1 - A) into RGB, and touches nothing else."""
    outcome = render(
        *rich_shot.arguments(tmp_path / "out", tmp_path / "cache", "--write", "merged")
    )

    assert outcome.code == 0, outcome.message
    for frame, matte in rich_shot.mattes.items():
        before = channels(rich_shot.folder / f"plate/fire.{frame}.exr")
        after = channels(tmp_path / f"out/fire.{frame}.exr")
        assert set(after) == set(before) | set(LAYER)
        for name in before:
            kept = same_bits(after[name], before[name])
            assert kept[matte == 0].all()
            assert kept.all() or name in "RGB"
        for name in "RGB":
            fill, below = after[f"infusion.{name}"][matte > 0], before[name][matte > 0]
            blend = fill * matte[matte > 0] + below * (1 - matte[matte > 0])
            np.testing.assert_allclose(after[name][matte > 0], blend, rtol=2e-3, atol=1e-3)


def test_the_matte_is_shaped_before_it_is_used(
    rich_shot: ShotFiles, render: Render, channels: Channels, tmp_path: Path
) -> None:
    """Grown and feathered, the layer's A says so, and outside is outside of the grown hole."""
    more = ("--matte-grow", "2", "--matte-feather", "3")
    outcome = render(*rich_shot.arguments(tmp_path / "out", tmp_path / "cache", *more))

    assert outcome.code == 0, outcome.message
    for frame, plate in rich_shot.plates.items():
        found = channels(tmp_path / f"out/fire.{frame}.exr")
        used = found["infusion.A"].astype(np.float32)
        assert (used >= rich_shot.mattes[frame]).all()
        assert (used > 0).sum() > (rich_shot.mattes[frame] > 0).sum() + 60
        assert ((used > 0) & (used < 1)).sum() > 30
        check_layer(found, plate, used)


@pytest.mark.parametrize(
    ("bits", "order", "word"), [(8, "big", ">u4"), (10, "big", ">u4"), (10, "little", "<u4")]
)
def test_dpx_changes_only_under_the_hole(
    picture_shot: Callable[..., ShotFiles],
    render: Render,
    tmp_path: Path,
    *,
    bits: int,
    order: str,
    word: str,
) -> None:
    """The file's bytes, header and byte order included, but for the pixel words under the hole."""
    kind = np.uint8 if bits == 8 else np.uint16
    attributes = {"oiio__BitsPerSample": bits, "oiio__Endian": order, "dpx__UserData": "kept"}
    shot = picture_shot(tmp_path, ".dpx", kind, **attributes)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert outcome.code == 0, outcome.message
    for frame, matte in shot.mattes.items():
        before = (tmp_path / f"plate/fire.{frame}.dpx").read_bytes()
        after = (tmp_path / f"out/fire.{frame}.dpx").read_bytes()
        start = int.from_bytes(before[4:8], order)  # type: ignore[arg-type]
        assert (after[:start], len(after)) == (before[:start], len(before))
        if bits == 8:
            changed = np.frombuffer(before, np.uint8, offset=start) != np.frombuffer(
                after, np.uint8, offset=start
            )
            pixels = changed[: matte.size * 3].reshape(*matte.shape, 3).any(axis=2)
        else:
            changed = np.frombuffer(before, word, offset=start) != np.frombuffer(
                after, word, offset=start
            )
            pixels = changed[: matte.size].reshape(matte.shape)
        assert not changed[pixels.size * (3 if bits == 8 else 1) :].any()
        assert not pixels[matte == 0].any()
        assert pixels[matte > 0].mean() > 0.9


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint16)]
)
def test_pictures_without_layers_are_merged(
    picture_shot: Callable[..., ShotFiles],
    render: Render,
    tmp_path: Path,
    *,
    suffix: str,
    kind: type,
) -> None:
    """Outside the hole every sample is the plate's, in the plate's depth; inside it is new."""
    shot = picture_shot(tmp_path, suffix, kind)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert outcome.code == 0, outcome.message
    for frame, plate in shot.plates.items():
        found = read_picture(tmp_path / f"out/fire.{frame}{suffix}")
        assert found.dtype == plate.dtype
        kept = (found == plate).all(axis=2)
        assert kept[shot.mattes[frame] == 0].all()
        assert kept[shot.mattes[frame] > 0].mean() < 0.1


def read_picture(path: Path) -> np.ndarray:
    """(H, W, C) as stored."""
    import OpenImageIO as oiio  # noqa: N813

    source = oiio.ImageInput.open(str(path))
    assert source is not None
    return np.asarray(source.read_image(0, 0, 0, source.spec().nchannels, source.spec().format))


def test_a_jpeg_plate_becomes_png(
    picture_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Another JPEG would change the plate: the decoded pixels are kept in a PNG."""
    shot = picture_shot(tmp_path, ".jpg", np.uint8)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert outcome.code == 0, outcome.message
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
        f"fire.{frame}.png" for frame in shot.plates
    ]
    for frame, matte in shot.mattes.items():
        with Image.open(tmp_path / f"plate/fire.{frame}.jpg") as source:
            plate = np.array(source)
        kept = (read_picture(tmp_path / f"out/fire.{frame}.png") == plate).all(axis=2)
        assert kept[matte == 0].all()
        assert kept[matte > 0].mean() < 0.1


def test_frame_numbers_and_padding_are_the_plates(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Numbers such as 98 to 101 with six digits come out under the same numbers and digits."""
    shot = exr_shot(tmp_path, frames=range(98, 102))
    for path in [*tmp_path.glob("plate/*.exr"), *tmp_path.glob("matte/*.exr")]:
        name, number, suffix = path.name.split(".")
        path.rename(path.with_name(f"{name}.{int(number):06d}.{suffix}"))
    pattern = tmp_path / "out" / "clean_v2.####.exr"
    first = render(*shot.arguments(tmp_path / "same", tmp_path / "cache", "--frames", "98-101"))
    second = render(*shot.arguments(pattern, tmp_path / "cache"))

    assert (first.code, second.code) == (0, 0), first.message + second.message
    assert [p.name for p in sorted((tmp_path / "same").iterdir())] == [
        f"fire.{number}.exr" for number in ("000098", "000099", "000100", "000101")
    ]
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
        f"clean_v2.{number}.exr" for number in ("0098", "0099", "0100", "0101")
    ]
