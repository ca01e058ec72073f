"""EXR: every bit and every header byte survives a copy, and damage is refused before decoding."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from infusion_engine.errors import FrameError
from infusion_engine.media.box import Box
from infusion_engine.media.exr_file import NewPart, encoded_exr, read_pixels
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_io import read_channels, read_header

WIDTH, HEIGHT = 37, 41
LOSSLESS = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "HTJ2K256", "HTJ2K32"]
LOSSY = ["B44", "B44A", "DWAA", "DWAB", "PXR24"]


def any_bits(seed: int) -> dict[str, np.ndarray]:
    """Channels of every type with every kind of bit pattern, NaN payloads and infinities too."""
    rng = np.random.default_rng(seed)
    size = (HEIGHT, WIDTH)
    halves = {name: rng.integers(0, 1 << 16, size).astype(np.uint16) for name in "RGBA"}
    halves["R"][0, :5] = [0x7C00, 0xFC00, 0x8000, 0x7BFF, 0x7E01]  # inf, -inf, -0, 65504, NaN
    found: dict[str, np.ndarray] = {
        name: pixels.view(np.float16) for name, pixels in halves.items()
    }
    found["Z"] = rng.integers(0, 1 << 32, size, dtype=np.uint32).view(np.float32)
    found["crypto.id"] = rng.integers(0, 1 << 32, size, dtype=np.uint32)
    return found


def header(compression: str, kind: Any = OpenEXR.scanlineimage) -> dict[str, Any]:
    """A header with a data window off the origin."""
    window = np.array([-8, 5], np.int32), np.array([-8 + WIDTH - 1, 5 + HEIGHT - 1], np.int32)
    found = {
        "type": kind,
        "compression": getattr(OpenEXR, f"{compression}_COMPRESSION"),
        "dataWindow": window,
        "displayWindow": (np.array([0, 0], np.int32), np.array([99, 49], np.int32)),
    }
    if kind == OpenEXR.tiledimage:
        found["tiles"] = OpenEXR.TileDescription()
        found["tiles"].xSize, found["tiles"].ySize = 16, 32
        found["tiles"].mode = OpenEXR.ONE_LEVEL
    return found


def write(path: Path, *parts: tuple[str, dict[str, Any], dict[str, np.ndarray]]) -> Path:
    """A file of those (name, header, channels)."""
    OpenEXR.File([OpenEXR.Part(h, dict(c), name) for name, h, c in parts]).write(str(path))
    return path


def bits(pixels: np.ndarray) -> np.ndarray:
    """The pixels as unsigned integers, so that NaN compares."""
    return np.ascontiguousarray(pixels).view(f"u{pixels.itemsize}")


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """True where both have the same type, shape and bits."""
    return one.dtype == other.dtype and np.array_equal(bits(one), bits(other))


def copied(source: Path, target: Path) -> Path:
    """`source` written again without a change."""
    found = read_exr_header(source)
    pixels = read_pixels(source, found)
    target.write_bytes(encoded_exr(found, [NewPart(i, c) for i, c in enumerate(pixels)]))
    return target


@pytest.mark.parametrize("kind", [OpenEXR.scanlineimage, OpenEXR.tiledimage])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("compression", LOSSLESS)
def test_every_bit_survives_a_copy(tmp_path: Path, compression: str, parts: int, kind: Any) -> None:
    """Half, float and uint channels keep every bit under every lossless compression."""
    plate = any_bits(3)
    named = [(f"part {i}", header(compression, kind), plate) for i in range(parts)]
    target = copied(write(tmp_path / "plate.exr", *named), tmp_path / "copy.exr")

    found = read_header(target)

    assert [part.name for part in found.parts[1:]] == [f"part {i}" for i in range(1, parts)]
    for part, pixels in zip(found.parts, read_pixels(target, read_exr_header(target)), strict=True):
        assert part.compression == compression.lower().replace("no", "none")
        assert part.is_tiled == (kind == OpenEXR.tiledimage)
        assert part.data_window == Box(-8, 5, -8 + WIDTH, 5 + HEIGHT)
        assert part.display_window == Box(0, 0, 100, 50)
        for name, original in plate.items():
            assert same(pixels[name], original), name
            assert same(read_channels(found, part=part.index, names=[name])[:, :, 0], original)


@pytest.mark.parametrize("order", [OpenEXR.INCREASING_Y, OpenEXR.DECREASING_Y])
def test_line_order_is_kept(tmp_path: Path, order: Any) -> None:
    """Lines stored from the bottom up stay so, and are read upright."""
    turned = header("ZIP") | {"lineOrder": order}
    source = write(tmp_path / "plate.exr", ("", turned, any_bits(12)))

    target = copied(source, tmp_path / "copy.exr")

    assert read_exr_header(target).attributes == read_exr_header(source).attributes
    assert OpenEXR.File(str(target)).header()["lineOrder"] == order
    seen = read_channels(read_header(target), part=0, names=["Z"])[:, :, 0]
    assert same(seen, any_bits(12)["Z"])


@pytest.mark.parametrize("compression", LOSSY)
def test_a_lossy_plate_keeps_its_decoded_bits(tmp_path: Path, compression: str) -> None:
    """The copy of a lossy plate is ZIPS, and decodes to exactly what the plate decodes to."""
    source = write(tmp_path / "plate.exr", ("", header(compression), any_bits(4)))
    target = copied(source, tmp_path / "copy.exr")

    before = read_pixels(source, read_exr_header(source))[0]
    after = read_pixels(target, read_exr_header(target))[0]

    assert read_header(source).parts[0].is_lossy
    assert read_header(target).parts[0].compression == "zips"
    assert all(same(before[name], after[name]) for name in before)


def text(value: bytes) -> bytes:
    """One entry of a `stringvector`."""
    return struct.pack("<i", len(value)) + value


ATTRIBUTES: dict[str, tuple[str, bytes]] = {
    "timeCode": ("timecode", struct.pack("<II", 0x12345678, 0x9ABCDEF0)),
    "framesPerSecond": ("rational", struct.pack("<iI", 24000, 1001)),
    "chromaticities": ("chromaticities", struct.pack("<8f", *np.linspace(0.1, 0.8, 8))),
    "keyCode": ("keycode", struct.pack("<7i", 1, 2, 3, 4, 5, 4, 64)),
    "adoptedNeutral": ("v2f", struct.pack("<2f", 0.3, 0.3)),
    "capDate": ("string", b"2020:01:01 00:00:00"),
    "nuke/input/filename": ("string", b"/shots/a/plate.1001.exr"),
    "latin": ("string", b"caf\xe9"),
    "zeroInside": ("string", b"he\0llo"),
    "empty": ("string", b""),
    "sizes": ("floatvector", struct.pack("<3f", 1, 2, 3)),
    "noSizes": ("floatvector", b""),
    "names": ("stringvector", text(b"a") + text(b"bc")),
    "noNames": ("stringvector", b""),
    "preview": ("preview", struct.pack("<II", 2, 2) + bytes(range(16))),
    "dwaCompressionLevel": ("float", struct.pack("<f", 45)),
    "noNumber": ("float", b"\1\0\xc0\x7f"),
    "worldToCamera": ("m44f", struct.pack("<16f", *range(16))),
    "precise": ("m44d", struct.pack("<16d", *range(16))),
    "corner": ("v3d", struct.pack("<3d", 1, 2, 3)),
    "environ": ("envmap", b"\1"),
    "studioOwn": ("studioType", b"\1\2\3\4\5"),
    "badManifest": ("idmanifest", b"\0" * 8),
    "a" * 60: ("int", struct.pack("<i", -7)),
    "höhe": ("double", struct.pack("<d", 0.1)),
}


def add_attribute(path: Path, name: str, kind: str, value: bytes) -> None:
    """Puts one more attribute at the end of a one-part file's header."""
    content = path.read_bytes()
    found = read_exr_header(path)
    entry = name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    count = found.chunks[0]
    table = struct.unpack_from(f"<{count}Q", content, found.tables_at)
    moved = struct.pack(f"<{count}Q", *[offset + len(entry) for offset in table])
    version = found.version | (0x400 if len(name.encode()) > 31 else 0)
    path.write_bytes(
        content[:4]
        + struct.pack("<i", version)
        + content[8 : found.tables_at - 1]
        + entry
        + b"\0"
        + moved
        + content[found.tables_at + 8 * count :]
    )


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_survive_byte_for_byte(tmp_path: Path, name: str) -> None:
    """Metadata of any type, known or not, well made or not, is the same bytes in the copy."""
    kind, value = ATTRIBUTES[name]
    source = write(tmp_path / "plate.exr", ("", header("ZIP"), any_bits(5)))
    add_attribute(source, name, kind, value)
    target = copied(source, tmp_path / "copy.exr")

    before, after = read_exr_header(source), read_exr_header(target)

    assert (name, kind, value) in [(a.name, a.type, a.value) for a in before.attributes[0]]
    assert after.attributes == before.attributes
    assert same(read_pixels(target, after)[0]["Z"], any_bits(5)["Z"])


def test_the_copy_opens_in_other_readers(tmp_path: Path) -> None:
    """OpenEXR's own reader, which shares no header code with ours, sees the same parts."""
    named = [(name, header("ZIP"), any_bits(6)) for name in ("rgba.left", "rgba.right")]
    target = copied(write(tmp_path / "plate.exr", *named), tmp_path / "copy.exr")

    file = OpenEXR.File(str(target), separate_channels=True)

    assert [part.name() for part in file.parts] == ["rgba.left", "rgba.right"]
    for part in file.parts:
        pixels = {name: channel.pixels for name, channel in part.channels.items()}
        assert all(same(pixels[name], original) for name, original in any_bits(6).items())


def patched(source: Path, name: str, value: bytes) -> Path:
    """The file with the bytes of one attribute's value overwritten."""
    content = bytearray(source.read_bytes())
    (attribute,) = [a for a in read_exr_header(source).attributes[0] if a.name == name]
    head = name.encode() + b"\0" + attribute.type.encode() + b"\0"
    at = content.index(head) + len(head) + 4
    content[at : at + len(value)] = value
    target = source.with_name("patched.exr")
    target.write_bytes(content)
    return target


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("dataWindow", struct.pack("<4i", 0, 0, 1 << 30, 1 << 30), "claims a data window"),
        ("dataWindow", struct.pack("<4i", 10, 10, 0, 0), "claims a data window"),
        ("dataWindow", struct.pack("<4i", 0, 0, 131000, 131000), "chunk"),
        ("dataWindow", struct.pack("<4i", 0, 0, 131000, HEIGHT - 1), None),
        ("dataWindow", struct.pack("<4i", 0, 0, 130999, 4095), "bytes cannot hold the 8585216000"),
        ("compression", b"\x63", "compression number 99"),
        ("channels", b"A\0\7\0\0\0", "makes no sense"),
        ("channels", b"A\0\1\0\0\0\0\0\0\0\2\0\0\0\2\0\0\0", "luminance-chroma"),
        ("channels", b"A\0\1\0\0\0\7", "is damaged: .*attribute"),  # seen by OpenEXR alone
    ],
)
def test_headers_that_lie_are_refused(
    tmp_path: Path, name: str, value: bytes, says: str | None
) -> None:
    """A header that claims what the file cannot hold is refused, at the latest on decoding."""
    source = write(tmp_path / "plate.exr", ("", header("ZIP"), any_bits(7)))
    target = patched(source, name, value)

    with pytest.raises(FrameError, match=says) as caught:
        read_pixels(target, read_exr_header(target))

    assert str(target) in caught.value.message


def test_kinds_that_are_not_read_are_refused_by_name(tmp_path: Path) -> None:
    """Mipmapped files and deep files are refused from the header alone, in words."""
    tiled = write(tmp_path / "t.exr", ("", header("ZIP", OpenEXR.tiledimage), any_bits(8)))
    mipmapped = patched(tiled, "tiles", struct.pack("<IIB", 16, 32, 1))
    with pytest.raises(FrameError, match="mipmapped"):
        read_header(mipmapped)

    plain = write(tmp_path / "p.exr", ("", header("ZIP"), any_bits(8)))
    content = bytearray(plain.read_bytes())
    content[5] |= 0x08
    plain.write_bytes(content)
    with pytest.raises(FrameError, match="deep EXR"):
        read_header(plain)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.05, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, kept: float) -> None:
    """A file cut anywhere is a FrameError that names it."""
    source = write(tmp_path / "plate.exr", ("", header("ZIP"), any_bits(9)))
    content = source.read_bytes()
    source.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(FrameError) as caught:
        read_channels(read_header(source), part=0, names=["R"])

    assert str(source) in caught.value.message


def test_a_frame_that_was_never_finished_is_refused(tmp_path: Path) -> None:
    """A chunk that the renderer never wrote is found from the table, before any decoding."""
    source = write(tmp_path / "plate.exr", ("", header("ZIPS"), any_bits(9)))
    content = bytearray(source.read_bytes())
    at = read_exr_header(source).tables_at + 8 * 7
    content[at : at + 8] = bytes(8)
    source.write_bytes(content)

    with pytest.raises(FrameError, match=f"1 of its {HEIGHT} chunks were never written"):
        read_header(source)


CHEWED = """
import sys
from pathlib import Path
import numpy as np
from infusion_engine.errors import FrameError
from infusion_engine.media.exr_file import read_pixels
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_io import read_channels, read_header
source, target = Path(sys.argv[1]), Path(sys.argv[2])
whole = source.read_bytes()
rng = np.random.default_rng(11)
ends = read_exr_header(source).tables_at
refused = 0
for turn in range(400):
    content = bytearray(whole)
    reach = ends if turn % 2 else len(content)
    for at in rng.integers(0, reach, 1 + turn % 5):
        content[at] = rng.integers(0, 256)
    target.write_bytes(content)
    try:
        header = read_header(target)
        for part in header.parts:
            read_channels(header, part=part.index, names=part.names[:1])
        read_pixels(target, read_exr_header(target))
    except FrameError:
        refused += 1
print(refused)
"""


def test_damage_anywhere_never_ends_the_process(tmp_path: Path) -> None:
    """400 files with bytes knocked over are read or refused: nothing else, and no abort."""
    source = write(tmp_path / "plate.exr", ("", header("ZIPS"), any_bits(10)))
    run = subprocess.run(
        [sys.executable, "-c", CHEWED, str(source), str(tmp_path / "chewed.exr")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert run.returncode == 0, run.stderr[-2000:]
    assert 150 < int(run.stdout.split()[-1]) < 400
