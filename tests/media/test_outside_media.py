"""Every awkward or damaged outside file passes through exactly, or is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infusion_engine.errors import InputError
from infusion_engine.media.box import Box
from infusion_engine.media.channels import find_colour, views_of
from infusion_engine.media.exr_file import read_pixels
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_io import Format, FrameHeader, read_channels, read_header
from infusion_engine.media.layer import Fill, WriteMode, write_frame

PASSES = ""
DEEP = "deep EXR"
NONSENSE = "its EXR header makes no sense"
UNFINISHED = "chunks were never written"

VERDICTS = {
    "dpx/8bit-OffsetToData0.dpx": "pixels at byte 0, inside the header",
    "dpx/corrupted_second/000001.dpx": PASSES,
    "dpx/corrupted_second/000002.dpx": "EXR, DPX, PNG, TIFF or JPEG was expected",
    "dpx/flavours/10bit.dpx": PASSES,
    "dpx/flavours/10bit_a.dpx": PASSES,
    "dpx/flavours/12bit.dpx": PASSES,
    "dpx/flavours/16bit.dpx": PASSES,
    "dpx/flavours/16bit_a.dpx": PASSES,
    "dpx/flavours/8bit.dpx": PASSES,
    "dpx/flavours/Y_10_FilledA_BE_Modified_9x4.dpx": PASSES,
    **{f"dpx/missing_second/{n:06}.dpx": PASSES for n in (1, *range(3, 11))},
    **{f"exr/beachball/multipart.{n:04}.exr": PASSES for n in range(1, 5)},
    **{f"exr/beachball/singlepart.{n:04}.exr": PASSES for n in range(1, 5)},
    "exr/compression/comp_b44.exr": "luminance-chroma",
    "exr/compression/comp_dwaa_v2.exr": PASSES,
    "exr/compression/comp_dwab_v2.exr": PASSES,
    "exr/compression/comp_piz.exr": PASSES,
    "exr/compression/comp_zip.exr": PASSES,
    "exr/compression/comp_zips.exr": PASSES,
    "exr/compression/tiled.exr": UNFINISHED,
    "exr/damaged/asan_heap-oob_4cb169_255_cc7ac9cde4b8634b31cb41c8fe89b92d_exr": DEEP,
    "exr/damaged/asan_heap-oob_4cb169_380_4572f174dd4e48b879ca6d516486f30e_exr": (
        "no `compression`"
    ),
    "exr/damaged/asan_heap-oob_4cb169_978_5f00ce89c3847e739b256efc49f312cf_exr": UNFINISHED,
    "exr/damaged/asan_heap-oob_504235_131_78b0e15388401193e1ee2ce20fb7f3b0_exr": "no `channels`",
    "exr/damaged/asan_heap-oob_7efd58fcbf3d_356_668b128c27c62e0d8314c503831fde88_exr": NONSENSE,
    "exr/damaged/asan_heap-oob_7efd9bd346a5_639_9e0b30ed499cdf9e8802dd64e16a9508_exr": DEEP,
    "exr/damaged/asan_heap-oob_7f09128c0ec1_358_ecaca7fb3f230d9d842074e1dd88f29b_exr": NONSENSE,
    "exr/damaged/asan_heap-oob_7f0faa6bb393_900_7d9ed0a6eaa68f8308a042d725119ad2_exr": NONSENSE,
    "exr/damaged/asan_heap-oob_7f11c0330393_935_240e7cacd61711daf4285366fea95e0c_exr": NONSENSE,
    "exr/damaged/asan_heap-oob_7f11ece681f1_785_a570a0a25ada4752dabb554ad6b1eb6b_exr": (
        "no `compression`"
    ),
    "exr/damaged/asan_heap-oob_7f171b7ab3a2_937_b4e2415c399c2ab39548de911223769d_exr": (
        "scanline chunks were missing or corrupted"
    ),
    "exr/damaged/asan_heap-oob_7f178ac80539_109_519f88e9ededfff61f535d6c9eb25a85_exr": (
        "no `compression`"
    ),
    "exr/damaged/asan_heap-oob_7f1fd65113ac_935_8fd55930e544dc3fb88659a6a8509c14_exr": NONSENSE,
    "exr/damaged/asan_heap-oob_7f35311a1426_780_4871d40882e0fe7fae1427a82319e144_exr": NONSENSE,
    "exr/damaged/comp_bad_bounds_piz.exr": NONSENSE,
    "exr/damaged/comp_bad_neg_bounds_pxr24.exr": NONSENSE,
    "exr/damaged/comp_bad_pos_bounds_piz.exr": NONSENSE,
    "exr/damaged/comp_bad_pos_bounds_pxr24.exr": NONSENSE,
    "exr/damaged/comp_early_eof_piz.exr": NONSENSE,
    "exr/damaged/comp_invalid_unknown.exr": NONSENSE,
    "exr/damaged/comp_short_decode_piz.exr": NONSENSE,
    "exr/damaged/deepIncomplete.exr": DEEP,
    "exr/damaged/incomplete.exr": UNFINISHED,
    "exr/damaged/invalid.exr": "EXR, DPX, PNG, TIFF or JPEG was expected",
    "exr/layers/channelTestMultiViewNukeCompat.exr": PASSES,
    "exr/layers/channelTestMultiViewNukePartPerView.exr": PASSES,
    "exr/layers/channelTestMultiViewNukeSinglePart.exr": PASSES,
    "exr/layers/channelTestMultiViewPartPerLayer.exr": PASSES,
    "exr/layers/channelTestMultiViewPartPerView.exr": PASSES,
    "exr/layers/channelTestMultiViewSinglePart.exr": PASSES,
    "exr/layers/channelTestNukePartPerLayer.exr": PASSES,
    "exr/layers/channelTestNukeSinglePart.exr": PASSES,
    "exr/layers/channelTestPartPerLayer.exr": PASSES,
    "exr/layers/channelTestSinglePart.exr": PASSES,
    "exr/layers/deepFloatPoints.exr": PASSES,
    "exr/layers/dwaHalfWithLayerPrefix.exr": PASSES,
    "exr/layers/imitateProductionLayers1.exr": PASSES,
    "exr/layers/imitateProductionLayers2.exr": PASSES,
    "exr/layers/invalidMultiViewAttribute.exr": PASSES,
    "exr/layers/layers.10x10.exr": PASSES,
    "exr/layers/manyChannels.exr": PASSES,
    "exr/layers/multipart.exr": PASSES,
    "exr/layers/multipartDefaultChannels.exr": PASSES,
    "exr/layers/multipartDefaultChannelsOverlap.exr": PASSES,
    "exr/layers/singlePartBogusName.exr": PASSES,
    "exr/layers/unsupportedMultipart.exr": PASSES,
    "exr/layers/weirdPartNames.exr": "has no colour",
    "exr/values/AllHalfValues.exr": PASSES,
    "exr/values/colorbars_half_max.exr": PASSES,
    "exr/values/dwaFloat.exr": PASSES,
    "exr/values/floatValues.exr": "has no colour",
    "exr/values/rationalFramesPerSecond.exr": PASSES,
    "exr/windows/blueWithDataWindow.100x100.exr": PASSES,
    "exr/windows/checkerWithNegWindows.200x150.exr": PASSES,
    "exr/windows/checkerWithNegWindowsReformated.exr": PASSES,
    "exr/windows/checkerWithNegativeDataWindow.200x150.exr": PASSES,
    "exr/windows/colorBarsWithDataWindow.exr": PASSES,
    "exr/windows/defaultNegativeDisplayWindow.exr": PASSES,
    "exr/windows/greenWithDataWindow.100x100.exr": PASSES,
    "exr/windows/imageCropDataWindow.exr": PASSES,
    "exr/windows/negativeDisplayWindow.exr": PASSES,
    "exr/windows/oversizeDataWindow.exr": PASSES,
    "exr/windows/redWithDataWindow.100x100.exr": PASSES,
}
"""File under `media/`: the words it is refused with, or PASSES."""


@dataclass(frozen=True)
class OnePlate:
    """A shot of one file in one view."""

    path: Path
    part: int
    colour: tuple[str, ...]

    def header(self, frame: int) -> FrameHeader:
        """The file's header."""
        return read_header(self.path)


READ_ALL = """
import json, sys
from pathlib import Path
from infusion_engine.errors import InputError
from infusion_engine.media.channels import find_colour, views_of
from infusion_engine.media.image_io import read_channels, read_header
for line in sys.stdin:
    path = Path(line.rstrip())
    try:
        header = read_header(path)
        for view in views_of(header) or (None,):
            colour = find_colour(header, view)
            read_channels(header, part=colour.part, names=colour.names)
        said = ""
    except InputError as error:
        said = error.message
    print(json.dumps([str(path), said]), flush=True)
"""


@cache
def read_in_another_process(media: Path) -> dict[str, str]:
    """What reading each file said, all in one process of its own: an abort is seen, not shared."""
    run = subprocess.run(
        [sys.executable, "-c", READ_ALL],
        input="".join(f"{media / name}\n" for name in VERDICTS),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, f"stopped after {lines[-1:]}: {run.stderr[-1000:]}"
    return {str(Path(path).relative_to(media)): said for path, said in lines}


def test_the_table_names_every_file(outside_media: Path) -> None:
    """A file that the table does not know, or a line without a file, fails here."""
    media = outside_media / "media"
    found = {
        str(path.relative_to(media))
        for folder in ("exr", "dpx")
        for path in (media / folder).rglob("*")
        if path.is_file()
    }

    assert found == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_each_file_is_read_or_refused_by_name(outside_media: Path, name: str) -> None:
    """Reading a file's colour in every view succeeds, or says which file and what is wrong."""
    said = read_in_another_process(outside_media / "media")[name]

    if VERDICTS[name] == PASSES:
        assert said == ""
    else:
        assert VERDICTS[name] in said
        assert str(outside_media / "media" / name) in said


def bits(pixels: np.ndarray) -> np.ndarray:
    """As unsigned integers, so that NaN compares."""
    return np.ascontiguousarray(pixels).view(f"u{pixels.itemsize}")


def small_fill(window: Box) -> tuple[Fill, np.ndarray]:
    """A 5x3 hole that may hang over the window's edge, and the hole over the window."""
    box = Box(window.x0 - 1, window.y0 + 1, window.x0 + 4, window.y0 + 4)
    matte = np.full((3, 5), 1.0, np.float32)
    matte[:, 3] = 0.5
    hole = np.zeros((window.height, window.width), bool)
    inside = box.intersection(window)
    if not inside.is_empty:
        hole[inside.slices(window)] = True
    return Fill(box, np.full((3, 5, 3), 0.75, np.float32), matte), hole


@pytest.mark.parametrize("name", [name for name, said in VERDICTS.items() if said == PASSES])
def test_each_readable_file_passes_through(outside_media: Path, tmp_path: Path, name: str) -> None:
    """With a small matte every part, channel and attribute outside the layer keeps its bits."""
    source = outside_media / "media" / name
    header = read_header(source)
    for view in views_of(header) or (None,):
        colour = find_colour(header, view)
        shot = OnePlate(source, colour.part, colour.names)
        fill, hole = small_fill(header.parts[colour.part].data_window)
        target = tmp_path / f"out{source.suffix}"
        write_frame(shot, 1, fill=fill, target=target, layer="infusion", mode=WriteMode.LAYER)
        if header.format is Format.EXR:
            check_exr(source, target, shot, hole)
        else:
            check_dpx(source, target, hole)


def check_exr(source: Path, target: Path, shot: OnePlate, hole: np.ndarray) -> None:
    """All but the layer as it was; the layer's colour the plate's outside the hole."""
    before, after = read_exr_header(source), read_exr_header(target)
    plate, written = read_pixels(source, before), read_pixels(target, after)
    assert [part.name for part in after.parts] == [part.name for part in before.parts]
    for part, (old, new) in enumerate(zip(plate, written, strict=True)):
        for channel, pixels in old.items():
            assert new[channel].dtype == pixels.dtype
            assert np.array_equal(bits(new[channel]), bits(pixels)), (part, channel)
        assert len(new) == len(old) + (4 if part == shot.part else 0)
        assert unlike_pixels(after.attributes[part]) == unlike_pixels(before.attributes[part])
    old, new = plate[shot.part], written[shot.part]
    layer = {channel[-1]: new[channel] for channel in set(new) - set(old)}
    for component, channel in zip("RGB", shot.colour * (3 // len(shot.colour)), strict=True):
        assert layer[component].dtype == old[channel].dtype
        assert np.array_equal(bits(layer[component])[~hole], bits(old[channel])[~hole])
        assert np.all(layer[component][hole] == 0.75)
    assert np.array_equal(layer["A"] > 0, hole)


def unlike_pixels(attributes: tuple[Any, ...]) -> list[Any]:
    """The attributes that do not describe how pixels are stored."""
    return [a for a in attributes if a.name not in ("channels", "compression", "chunkCount")]


def check_dpx(source: Path, target: Path, hole: np.ndarray) -> None:
    """The same header bytes and length, the same pixels outside the hole, others inside."""
    old, new = source.read_bytes(), target.read_bytes()
    assert len(old) == len(new)
    header = read_header(source)
    names = header.parts[0].names
    before = read_channels(header, part=0, names=names)
    after = read_channels(read_header(target), part=0, names=names)
    assert np.array_equal(before[~hole], after[~hole])
    changed = np.flatnonzero(np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8))
    rows = np.flatnonzero(hole.any(axis=1))
    assert len(changed) > 0
    assert changed[0] >= 1664
    line = (len(old) - 1664) // header.parts[0].data_window.height
    assert changed[-1] - changed[0] <= (len(rows) + 1) * line


def test_all_half_values_keep_their_bits(outside_media: Path, tmp_path: Path) -> None:
    """Each of the 65536 halves, every NaN among them, is in the layer as it is in the plate."""
    source = outside_media / "media/exr/values/AllHalfValues.exr"
    target = tmp_path / "out.exr"

    write_frame(
        OnePlate(source, 0, ("R", "G", "B")), 1, fill=None, target=target, layer="infusion",
        mode=WriteMode.LAYER,
    )  # fmt: skip

    written = read_pixels(target, read_exr_header(target))[0]
    assert len(np.unique(bits(written["infusion.R"]))) == 1 << 16
    for name in "RGB":
        assert np.array_equal(bits(written[f"infusion.{name}"]), bits(written[name]))


def test_both_libraries_decode_alike(outside_media: Path) -> None:
    """What is learnt from (OpenImageIO) and what is written (OpenEXR) are the same bits."""
    names = [name for name, said in VERDICTS.items() if said == PASSES and name.startswith("exr")]
    for name in names:
        source = outside_media / "media" / name
        header = read_header(source)
        pixels = read_pixels(source, read_exr_header(source))
        for part in header.parts:
            for kind in {channel.type for channel in part.channels}:
                alike = [channel.name for channel in part.channels if channel.type is kind]
                seen = bits(read_channels(header, part=part.index, names=alike))
                for at, channel in enumerate(alike):
                    exact = bits(pixels[part.index][channel])
                    assert np.array_equal(seen[:, :, at], exact), (name, channel)


def test_damaged_files_are_refused_when_written_too(outside_media: Path, tmp_path: Path) -> None:
    """A plate that went bad after it was opened ends in the same error, and in no file."""
    for name in ("incomplete.exr", "deepIncomplete.exr", "invalid.exr"):
        source = outside_media / "media/exr/damaged" / name
        with pytest.raises(InputError, match=name):
            write_frame(
                OnePlate(source, 0, ("R", "G", "B")), 1, fill=None, target=tmp_path / name,
                layer="infusion", mode=WriteMode.LAYER,
            )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
