"""Writing a frame: the plate's bits outside the hole, the layer's meaning, nothing half done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import OpenImageIO as oiio  # noqa: N813
import pytest

from infusion_engine.errors import FrameError, StorageError, UsageError
from infusion_engine.media.box import Box
from infusion_engine.media.exr_file import read_pixels
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_io import FrameHeader, read_channels, read_header
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


def write_raster_plate(path: Path, dtype: str, repeats: int = 1) -> np.ndarray:
    """A frame of random pixels with alpha, `repeats` times as high, through OpenImageIO."""
    channels = 3 if path.suffix == ".dpx" else 4
    rng = np.random.default_rng(4)
    plate = rng.integers(0, np.iinfo(dtype).max, (HEIGHT * repeats, WIDTH, channels)).astype(dtype)
    spec = oiio.ImageSpec(WIDTH, HEIGHT * repeats, channels, dtype)
    spec["oiio:UnassociatedAlpha"] = 1
    target = oiio.ImageOutput.create(str(path))
    assert target is not None
    assert target.open(str(path), spec)
    assert target.write_image(plate)
    target.close()
    return plate


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize(
    ("name", "dtype", "full"),
    [("a.png", "uint8", 255), ("a.png", "uint16", 65535), ("a.tif", "uint16", 65535),
     ("a.dpx", "uint8", 255), ("a.dpx", "uint16", 65535)],
)  # fmt: skip
def test_formats_without_layers_are_merged(
    tmp_path: Path, name: str, dtype: str, full: int, mode: WriteMode
) -> None:
    """DPX, PNG and TIFF take the fill under the matte, whatever was asked, and nothing else."""
    source = tmp_path / name
    plate = write_raster_plate(source, dtype)
    fill = Fill(Box(2, 3, 6, 6), np.full((3, 4, 3), 0.6, np.float32), np.zeros((3, 4), np.float32))
    fill.matte[1, 1:3] = [1.0, 0.5]
    target = tmp_path / f"out{source.suffix}"

    write_frame(OnePlate(source), 1, fill=fill, target=target, layer="i", mode=mode)

    header = read_header(target)
    found = read_channels(header, part=0, names=header.parts[0].names)
    expected = plate.copy()
    expected[4, 3, :3] = round(0.6 * full)
    blend = 0.3 * full + 0.5 * plate[4, 4, :3].astype(float)
    assert np.abs(found[4, 4, :3] - blend).max() <= 0.51
    expected[4, 4, :3] = found[4, 4, :3]
    assert np.array_equal(found, expected)


def test_frames_that_pass_through_are_copied(tmp_path: Path) -> None:
    """Without a fill a DPX, PNG or TIFF is the plate's own bytes; a JPEG becomes a PNG."""
    for name in ("a.png", "a.tif", "a.dpx"):
        write_raster_plate(tmp_path / name, "uint8")
        target = tmp_path / f"out{Path(name).suffix}"
        write_frame(
            OnePlate(tmp_path / name), 1, fill=None, target=target, layer="i", mode=WriteMode.LAYER
        )
        assert target.read_bytes() == (tmp_path / name).read_bytes()

    write_raster_plate(tmp_path / "a.jpg", "uint8")
    write_frame(
        OnePlate(tmp_path / "a.jpg"), 1, fill=None, target=tmp_path / "j.png", layer="i",
        mode=WriteMode.LAYER,
    )  # fmt: skip
    names = ("R", "G", "B")
    assert np.array_equal(
        read_channels(read_header(tmp_path / "j.png"), part=0, names=names),
        read_channels(read_header(tmp_path / "a.jpg"), part=0, names=names),
    )


def test_the_plate_is_never_overwritten(tmp_path: Path) -> None:
    """Writing onto the plate's own file, by whatever name, is refused and leaves it alone."""
    source = write_exr(tmp_path / "plate.exr", ("", any_bits(np.float16, "RGB")))
    alias = tmp_path / "alias.exr"
    alias.symlink_to(source)
    before = source.read_bytes()

    with pytest.raises(UsageError, match="the plate itself"):
        write_frame(OnePlate(source), 1, fill=None, target=alias, layer="i", mode=WriteMode.LAYER)

    assert source.read_bytes() == before


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """A written frame leaves no temporary, and a failed one neither a temporary nor a frame."""
    source = write_exr(tmp_path / "plate.exr", ("", any_bits(np.float16, "RGB")))
    folder = tmp_path / "new" / "folder"
    shot = OnePlate(source)

    write_frame(shot, 1, fill=None, target=folder / "o.exr", layer="i", mode=WriteMode.LAYER)
    assert [path.name for path in folder.iterdir()] == ["o.exr"]

    blocked = folder / "o.exr" / "below.exr"
    with pytest.raises(StorageError, match="Not a directory") as caught:
        write_frame(shot, 1, fill=None, target=blocked, layer="i", mode=WriteMode.LAYER)
    assert str(blocked) in caught.value.message
    (folder / "taken.exr").mkdir()
    with pytest.raises(StorageError, match=r"taken\.exr could not be written"):
        write_frame(
            shot, 1, fill=None, target=folder / "taken.exr", layer="i", mode=WriteMode.LAYER
        )
    assert sorted(path.name for path in folder.iterdir()) == ["o.exr", "taken.exr"]


def test_old_leftovers_of_killed_runs_are_removed(tmp_path: Path) -> None:
    """A frame's own leftovers go once they are an hour old; younger ones may be at work."""
    source = write_exr(tmp_path / "plate.exr", ("", any_bits(np.float16, "RGB")))
    folder = tmp_path / "out"
    folder.mkdir()
    names = [".f.1001.aa.part.exr", ".f.1001.bb.part.exr", ".f.1002.cc.part.exr"]
    for name in names:
        (folder / name).touch()
    for name in (names[0], names[2]):
        os.utime(folder / name, (0, 0))

    write_frame(
        OnePlate(source), 1001, fill=None, target=folder / "f.1001.exr", layer="i",
        mode=WriteMode.LAYER,
    )  # fmt: skip

    assert sorted(path.name for path in folder.iterdir()) == [names[1], names[2], "f.1001.exr"]


FULL_DISK = """
import subprocess, sys
from pathlib import Path
sys.path[:0] = [sys.argv[4]]
import importlib.util
from infusion_engine.errors import StorageError
spec = importlib.util.spec_from_file_location("plates", sys.argv[5])
plates = importlib.util.module_from_spec(spec)
sys.modules["plates"] = plates
spec.loader.exec_module(plates)
source, mount, options = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", mount], check=True)
fill = plates.some_fill()[0]
try:
    plates.write_frame(plates.OnePlate(source), 1, fill=fill, target=mount / f"o{source.suffix}",
                       layer="i", mode=plates.WriteMode.LAYER)
except StorageError as error:
    print(error.exit_code, error.message, sorted(p.name for p in mount.iterdir()))
"""


@pytest.mark.parametrize("suffix", [".exr", ".png"])
@pytest.mark.parametrize(
    ("options", "cause"),
    [("size=4k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_disk_that_cannot_be_written_is_named(
    tmp_path: Path, options: str, cause: str, suffix: str
) -> None:
    """A full and a read-only disk end in exit code 5, the path and the cause, and no file."""
    namespace = ["unshare", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system allows no mount namespace of one's own")
    source = tmp_path / f"plate{suffix}"
    if suffix == ".exr":
        write_exr(source, ("", any_bits(np.float32, "RGBA")))
    else:
        write_raster_plate(source, "uint16", repeats=10)
    mount = tmp_path / "disk"
    mount.mkdir()

    run = subprocess.run(
        [*namespace, sys.executable, "-c", FULL_DISK, str(source), str(mount), options,
         str(Path(__file__).parent), __file__],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("5 "), run.stdout
    assert str(mount / f"o{suffix}") in run.stdout
    assert cause in run.stdout
    assert run.stdout.rstrip().endswith("[]")
