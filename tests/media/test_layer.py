"""Writing an EXR frame: the plate's bits outside the hole, and the layer's meaning."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from infusion_engine.errors import FrameError
from infusion_engine.media.box import Box
from infusion_engine.media.exr_file import read_pixels
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_io import FrameHeader, read_header
from infusion_engine.media.layer import Fill, WriteMode, layer_channels, write_frame

ORIGIN = (-3, 4)
WIDTH, HEIGHT = 20, 12
WINDOW = Box(-3, 4, 17, 16)
Channels = dict[str, np.ndarray]
LAYER = tuple(f"infusion.{name}" for name in "RGBA")


@dataclass(frozen=True)
class OnePlate:
    """A shot of one file, whatever frame is asked for."""

    path: Path
    colour: tuple[str, ...] = ("R", "G", "B")
    part: int = 0

    def header(self, frame: int) -> FrameHeader:
        """The file's header."""
        return read_header(self.path)


def any_bits(dtype: type, names: str | list[str], seed: int = 0) -> Channels:
    """Channels with every kind of bit pattern; the last two columns are NaN and infinity."""
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    rng = np.random.default_rng(seed)
    found: Channels = {}
    for name in names:
        raw = rng.integers(0, np.iinfo(unsigned).max, (HEIGHT, WIDTH)).astype(unsigned)
        found[name] = raw.view(dtype)
        if dtype is not np.uint32:
            found[name][:, -2], found[name][:, -1] = np.nan, np.inf
    return found


def write_exr(
    path: Path, *parts: tuple[str, dict[str, np.ndarray]], view: str = "", **header: Any
) -> Path:
    """A ZIP file of those (name, channels), its data window off the origin."""
    x, y = ORIGIN
    base: dict[str, Any] = {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.ZIP_COMPRESSION,
        "dataWindow": (
            np.array([x, y], np.int32),
            np.array([x + WIDTH - 1, y + HEIGHT - 1], np.int32),
        ),
        "displayWindow": (np.array([0, 0], np.int32), np.array([15, 19], np.int32)),
        "owner": "somebody",
    }
    made = []
    for name, channels in parts:
        own = {"view": name.rpartition(".")[2]} if view else {}
        made.append(OpenEXR.Part({**base, **header, **own}, dict(channels), name))
    OpenEXR.File(made).write(str(path))
    return path


def pixels(path: Path, part: int = 0) -> dict[str, np.ndarray]:
    """All channels of one part of an EXR."""
    return read_pixels(path, read_exr_header(path))[part]


def bits(values: np.ndarray) -> np.ndarray:
    """As unsigned integers, so that NaN compares."""
    return np.ascontiguousarray(values).view(f"u{values.itemsize}")


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """True where type, shape and bits agree."""
    return one.dtype == other.dtype and np.array_equal(bits(one), bits(other))


def some_fill(value: float = 2.5) -> tuple[Fill, np.ndarray]:
    """A fill that hangs over the data window's left edge, and its matte over the whole window."""
    box = Box(-6, 6, 2, 11)
    matte = np.zeros((5, 8), np.float32)
    matte[1:4, :7] = 0.25
    matte[2, 2:6] = 1.0
    rgb = np.full((5, 8, 3), value, np.float32) * np.array([1, 2, 4], np.float32)
    whole = np.zeros((HEIGHT, WIDTH), np.float32)
    whole[2:7, 0:5] = matte[:, 3:]
    return Fill(box, rgb, matte), whole


@pytest.mark.parametrize("mode", [WriteMode.LAYER, WriteMode.FILL])
def test_further_layers_stand_beside_the_first(tmp_path: Path, mode: WriteMode) -> None:
    """Each is what it would be alone, one that the plate held is replaced, all else keeps bits."""
    held = {"second.R": np.ones((HEIGHT, WIDTH), np.float16)}
    plate = any_bits(np.float16, "RGBA") | any_bits(np.uint32, ["id"])
    shot = OnePlate(write_exr(tmp_path / "plate.exr", ("", plate | held)))
    (first, _), (second, _) = some_fill(), some_fill(3.0)

    write_frame(
        shot, 1, fill=first, target=tmp_path / "o.exr", layer="first", mode=mode,
        further={"second": second, "third": None},
    )  # fmt: skip

    found = pixels(tmp_path / "o.exr")
    kept = set(plate) if mode is WriteMode.LAYER else set()
    layers = {"first": first, "second": second, "third": None}
    assert set(found) == kept | {f"{layer}.{name}" for layer in layers for name in "RGBA"}
    assert all(same(found[name], plate[name]) for name in kept)
    for layer, fill in layers.items():
        target = tmp_path / f"{layer}.exr"
        write_frame(shot, 1, fill=fill, target=target, layer=layer, mode=WriteMode.FILL)
        alone = pixels(target)
        assert all(same(found[name], alone[name]) for name in alone)


def test_a_merged_file_holds_one_fill(tmp_path: Path) -> None:
    """More than one cannot be put into the same colour, and nothing is written."""
    shot = OnePlate(write_exr(tmp_path / "plate.exr", ("", any_bits(np.float16, "RGB"))))
    with pytest.raises(ValueError, match="holds one fill; b cannot"):
        write_frame(
            shot, 1, fill=None, target=tmp_path / "o.exr", layer="a", mode=WriteMode.MERGED,
            further={"b": None},
        )  # fmt: skip
    assert not (tmp_path / "o.exr").exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_layer_is_added_and_all_else_keeps_its_bits(tmp_path: Path, dtype: type) -> None:
    """Layer RGB is the fill inside and the plate outside, A the matte; other channels keep all."""
    plate = any_bits(dtype, "RGBA") | any_bits(np.uint32, ["id"]) | any_bits(np.float32, ["Z"])
    source = write_exr(tmp_path / "plate.exr", ("", plate))
    fill, matte = some_fill()
    target = tmp_path / "out.exr"

    write_frame(
        OnePlate(source), 1, fill=fill, target=target, layer="infusion", mode=WriteMode.LAYER
    )

    found = pixels(target)
    assert set(found) == set(plate) | set(LAYER)
    assert all(same(found[name], plate[name]) for name in plate)
    for name, scale in zip("RGB", (1, 2, 4), strict=True):
        written = found[f"infusion.{name}"]
        assert written.dtype == dtype
        assert np.all(written[matte > 0] == 2.5 * scale)
        assert np.array_equal(bits(written)[matte == 0], bits(plate[name])[matte == 0])
    assert same(found["infusion.A"], matte.astype(dtype))
    before, after = read_exr_header(source).attributes[0], read_exr_header(target).attributes[0]
    assert [a for a in before if a.name != "channels"] == [a for a in after if a.name != "channels"]


def test_an_empty_matte_passes_through(tmp_path: Path) -> None:
    """Without a fill the layer holds the plate's own colour and a matte of zeros."""
    plate = any_bits(np.float16, "RGB")
    source = write_exr(tmp_path / "plate.exr", ("", plate))

    for mode in (WriteMode.LAYER, WriteMode.MERGED):
        target = tmp_path / f"{mode.value}.exr"
        write_frame(OnePlate(source), 1, fill=None, target=target, layer="infusion", mode=mode)

        found = pixels(target)
        assert all(same(found[f"infusion.{name}"], plate[name]) for name in "RGB")
        assert all(same(found[name], plate[name]) for name in "RGB")
        assert not bits(found["infusion.A"]).any()


def test_fill_mode_writes_the_layer_alone(tmp_path: Path) -> None:
    """`fill` leaves the four channels, under the windows and metadata of the colour's part."""
    plate = any_bits(np.float16, "RGB")
    source = write_exr(tmp_path / "p.exr", ("rgba", plate), ("depth", any_bits(np.float32, "Z")))
    fill, _ = some_fill()

    write_frame(
        OnePlate(source), 1, fill=fill, target=tmp_path / "o.exr", layer="fire", mode=WriteMode.FILL
    )

    (part,) = read_header(tmp_path / "o.exr").parts
    assert part.names == ("fire.A", "fire.B", "fire.G", "fire.R")
    assert part.data_window == WINDOW
    assert part.display_window == Box(0, 0, 16, 20)
    kept = {a.name: a.value for a in read_exr_header(tmp_path / "o.exr").attributes[0]}
    assert kept["owner"] == b"somebody"
    write_frame(
        OnePlate(source),
        1,
        fill=fill,
        target=tmp_path / "l.exr",
        layer="fire",
        mode=WriteMode.LAYER,
    )
    layer = pixels(tmp_path / "l.exr")
    assert all(same(p, layer[name]) for name, p in pixels(tmp_path / "o.exr").items())


def test_merged_is_an_unpremultiplied_over(tmp_path: Path) -> None:
    """Colour becomes fill x A + plate x (1 - A) in the hole, and keeps its bits outside."""
    plate = {
        n: np.full((HEIGHT, WIDTH), v, np.float32)
        for n, v in zip("RGBA", (8, -4, 0.5, 1), strict=True)
    }
    source = write_exr(tmp_path / "plate.exr", ("", plate))
    fill, matte = some_fill()

    write_frame(
        OnePlate(source), 1, fill=fill, target=tmp_path / "o.exr", layer="i", mode=WriteMode.MERGED
    )

    found = pixels(tmp_path / "o.exr")
    for name, value in zip("RGB", (2.5, 5.0, 10.0), strict=True):
        expected = np.where(matte > 0, value * matte + plate[name] * (1 - matte), plate[name])
        assert np.allclose(found[name], expected, rtol=1e-6)
        assert np.all(found[name][matte == 1] == value)
        assert np.array_equal(found[name][matte == 0], plate[name][matte == 0])
    assert same(found["A"], plate["A"])
    assert set(found) == {*"RGBA", "i.R", "i.G", "i.B", "i.A"}


def test_a_plate_that_is_not_a_number_does_not_leak(tmp_path: Path) -> None:
    """NaN and infinity under the matte vanish; the same outside it keep their payloads."""
    plate = any_bits(np.float16, "RGB")
    for channel in plate.values():
        bits(channel)[:, :4] = [0x7E01, 0xFC00, 0x7C00, 0x7D55]
    source = write_exr(tmp_path / "plate.exr", ("", plate))
    fill, matte = some_fill()

    write_frame(
        OnePlate(source), 1, fill=fill, target=tmp_path / "o.exr", layer="i", mode=WriteMode.MERGED
    )

    found = pixels(tmp_path / "o.exr")
    for name in (*"RGB", "i.R", "i.G", "i.B"):
        assert np.isfinite(found[name][matte > 0]).all()
        assert np.array_equal(bits(found[name])[matte == 0], bits(plate[name[-1]])[matte == 0])


def test_half_fills_stay_finite_and_faint_mattes_stay_visible(tmp_path: Path) -> None:
    """A fill above 65504 becomes 65504, and a matte too faint for half is not written as 0."""
    source = write_exr(tmp_path / "plate.exr", ("", any_bits(np.float16, "RGB")))
    fill, matte = some_fill(1e6)
    faint = np.where(fill.matte == 1, np.float32(1e-9), fill.matte)
    shot = OnePlate(source)

    write_frame(
        shot, 1, fill=Fill(fill.box, fill.rgb, faint), target=tmp_path / "o.exr", layer="infusion",
        mode=WriteMode.LAYER,
    )  # fmt: skip

    found = pixels(tmp_path / "o.exr")
    assert np.all(found["infusion.R"][matte > 0] == 65504)
    assert np.array_equal(found["infusion.A"] > 0, matte > 0)


@pytest.mark.parametrize(
    "old", [["infusion.R", "infusion.A"], ["infusion.red", "infusion.green", "infusion.alpha"]]
)
def test_a_layer_that_is_already_there_is_replaced(tmp_path: Path, old: list[str]) -> None:
    """Either spelling of an earlier layer goes; a channel that only sounds like it stays."""
    plate = any_bits(np.float16, ["R", "G", "B", "infusion.depth", "infusions.R", *old])
    source = write_exr(tmp_path / "plate.exr", ("", plate))
    fill, _ = some_fill()
    assert layer_channels(read_header(source), 0, ("R", "G", "B"), "infusion") == {
        (0, name) for name in old
    }

    write_frame(
        OnePlate(source), 1, fill=fill, target=tmp_path / "o.exr", layer="infusion",
        mode=WriteMode.LAYER,
    )  # fmt: skip

    found = pixels(tmp_path / "o.exr")
    assert set(found) == {"R", "G", "B", "infusion.depth", "infusions.R", *LAYER}
    assert same(found["infusions.R"], plate["infusions.R"])


def test_a_layer_split_into_its_own_part_is_replaced(tmp_path: Path) -> None:
    """A part that another program made of the earlier layer goes; the other view's stays."""
    colour = any_bits(np.float16, "RGB")
    names = ["rgba.left", "infusion.left", "rgba.right", "infusion.right"]
    earlier = colour | any_bits(np.float16, ["infusion.R"])
    held = {"rgba.left": earlier, "rgba.right": earlier}
    parts = [(name, held.get(name, colour)) for name in names]
    source = write_exr(tmp_path / "p.exr", *parts, view="own")
    fill, _ = some_fill()

    write_frame(
        OnePlate(source, part=0), 1, fill=fill, target=tmp_path / "o.exr", layer="infusion",
        mode=WriteMode.LAYER,
    )  # fmt: skip

    found = read_header(tmp_path / "o.exr").parts
    assert [part.name for part in found] == ["rgba.left", "rgba.right", "infusion.right"]
    assert [part.view for part in found] == ["left", "right", "right"]
    assert set(LAYER) < set(found[0].names)
    assert same(pixels(tmp_path / "o.exr", 1)["infusion.R"], earlier["infusion.R"])


@pytest.mark.parametrize(
    ("other", "colour", "expected"),
    [
        (["left.R", "left.G", "left.B"], "left.", "infusion.left"),
        (["left.R", "left.G", "left.B", "left.diffuse.R"], "left.", "left.infusion"),
        (["left.R", "left.G", "left.B"], "", "infusion"),
    ],
)
def test_views_that_share_a_part_name_the_layer_as_the_file_does(
    tmp_path: Path, other: list[str], colour: str, expected: str
) -> None:
    """The default view's layer is plain; another's carries the view where the file puts it."""
    plate = any_bits(np.float16, ["R", "G", "B", *other])
    source = write_exr(tmp_path / "p.exr", ("", plate), multiView=["right", "left"])
    fill, matte = some_fill()
    names = (f"{colour}R", f"{colour}G", f"{colour}B")

    for _ in range(2):  # the second time the layer is there already
        write_frame(
            OnePlate(source, names), 1, fill=fill, target=tmp_path / "o.exr", layer="infusion",
            mode=WriteMode.LAYER,
        )  # fmt: skip
        shutil.copy(tmp_path / "o.exr", source)

    found = pixels(tmp_path / "o.exr")
    assert set(found) == set(plate) | {f"{expected}.{name}" for name in "RGBA"}
    outside = matte == 0
    assert np.array_equal(bits(found[f"{expected}.R"])[outside], bits(plate[names[0]])[outside])


def test_a_luminance_plate_gains_a_colour_layer(tmp_path: Path) -> None:
    """The lone channel stands in all three of the layer's; merged, it takes the fill's mean."""
    plate = any_bits(np.float32, "Y")
    source = write_exr(tmp_path / "plate.exr", ("", plate))
    fill, matte = some_fill()

    write_frame(
        OnePlate(source, ("Y",)), 1, fill=fill, target=tmp_path / "o.exr", layer="infusion",
        mode=WriteMode.MERGED,
    )  # fmt: skip

    found = pixels(tmp_path / "o.exr")
    for name in ("Y", "infusion.R", "infusion.G", "infusion.B"):
        assert np.array_equal(bits(found[name])[matte == 0], bits(plate["Y"])[matte == 0])
    assert np.allclose(found["Y"][matte == 1], 2.5 * (1 + 2 + 4) / 3)


def test_integer_colour_is_refused(tmp_path: Path) -> None:
    """An EXR whose colour is uint cannot hold a fill; that is said before anything is written."""
    source = write_exr(tmp_path / "plate.exr", ("", any_bits(np.uint32, "RGB")))

    with pytest.raises(FrameError, match="uint32; half or float was expected"):
        write_frame(
            OnePlate(source), 1, fill=None, target=tmp_path / "o.exr", layer="i",
            mode=WriteMode.LAYER,
        )  # fmt: skip
    assert not (tmp_path / "o.exr").exists()
