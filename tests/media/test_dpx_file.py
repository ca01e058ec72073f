"""DPX: read as other readers read it, and written by changing only the bits under the hole."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest

from infusion_engine.errors import FrameError
from infusion_engine.media.dpx_file import read_dpx_codes, read_dpx_header, with_codes
from infusion_engine.media.image_io import read_channels, read_header

HEIGHT = 5
NAMES = {1: ("Y",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
FLAVOURS = [
    (width, channels, bits, order, packing)
    for width, channels, bits, order, packing in itertools.product(
        (8, 9, 11), (1, 3, 4), (8, 10, 12, 16), (">", "<"), (0, 1, 2)
    )
    if bits in (10, 12) or packing == 0
]


def codes_of(width: int, channels: int, bits: int) -> np.ndarray:
    """Random codes with both ends of the range among them."""
    codes = np.random.default_rng(bits + width).integers(0, 1 << bits, (HEIGHT, width, channels))
    codes[0, 0], codes[-1, -1] = (1 << bits) - 1, 0
    return codes.astype(np.uint16)


def packed_line(values: list[int], bits: int, order: str, packing: int, luma: bool) -> bytes:
    """One line as the standard words it, with Python's integers; padding bits are ones."""
    if bits == 8:
        return bytes(values) + b"\xaa" * (-len(values) % 4)
    if bits == 16 or (bits == 12 and packing):
        shift = 4 if bits == 12 and packing == 1 else 0
        pad = {0: 0, 1: 0x000F, 2: 0xF000}[packing if bits == 12 else 0]
        line = b"".join(struct.pack(order + "H", value << shift | pad) for value in values)
        return line + b"\xaa" * (-len(line) % 4)
    words = []
    if packing == 0:
        total = sum(value << (bits * at) for at, value in enumerate(values))
        count = -(-len(values) * bits // 32)
        total |= ((1 << count * 32) - 1) >> (len(values) * bits) << (len(values) * bits)
        words = [total >> (32 * at) & 0xFFFFFFFF for at in range(count)]
    else:
        low = 2 if packing == 1 else 0
        for at in range(0, len(values), 3):
            word = 0x3 if packing == 1 else 0xC0000000
            for place, value in enumerate(values[at : at + 3]):
                word |= value << ((place if luma else 2 - place) * 10 + low)
            words.append(word)
    return b"".join(struct.pack(order + "I", word) for word in words)


def write_dpx(  # noqa: PLR0917  (the flavour, in the order of FLAVOURS)
    path: Path,
    codes: np.ndarray,
    bits: int,
    order: str,
    packing: int,
    overrides: Mapping[str, int] | None = None,
) -> Path:
    """A DPX with junk in every field that has nothing to do with the pixels."""
    height, width, channels = codes.shape
    head = bytearray(np.random.default_rng(1).integers(1, 255, 2048).astype(np.uint8))
    fields = {"elements": 1, "descriptor": {1: 6, 3: 50, 4: 51}[channels], "encoding": 0}
    fields |= {"offset": 2048, "orientation": 0, "sign": 0, "bits": bits, "packing": packing}
    fields |= overrides or {}
    head[0:4] = b"SDPX" if order == ">" else b"XPDS"
    struct.pack_into(order + "I", head, 4, 2048)
    head[8:16] = b"V2.0\0\0\0\0"
    struct.pack_into(
        order + "HHII", head, 768, fields["orientation"], fields["elements"], width, height
    )
    struct.pack_into(order + "I", head, 780, fields["sign"])
    struct.pack_into("BBBB", head, 800, fields["descriptor"], 1, 1, fields["bits"])
    struct.pack_into(
        order + "HHII", head, 804, fields["packing"], fields["encoding"], fields["offset"], 0
    )
    struct.pack_into(order + "II", head, 1628, 2, 1)
    lines = [
        packed_line(line.reshape(-1).tolist(), bits, order, packing, channels == 1)
        for line in codes
    ]
    path.write_bytes(bytes(head) + b"".join(lines) + b"trailer")
    return path


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_codes_are_read_as_the_standard_words_them(
    tmp_path: Path, flavour: tuple[int, int, int, str, int]
) -> None:
    """Every flavour yields the codes it was made of, expanded to full range without a gap."""
    width, channels, bits, order, packing = flavour
    codes = codes_of(width, channels, bits)
    path = write_dpx(tmp_path / "a.dpx", codes, bits, order, packing)

    header = read_header(path)
    pixels = read_channels(header, part=0, names=NAMES[channels])

    assert np.array_equal(read_dpx_codes(path, read_dpx_header(path)), codes)
    full = (1 << 8 if bits == 8 else 1 << 16) - 1
    assert pixels.max() == full
    assert np.abs(pixels - codes * (full / ((1 << bits) - 1))).max() <= 1
    assert header.parts[0].bits == bits
    assert header.parts[0].pixel_aspect == 2.0


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_only_bits_under_the_hole_change(
    tmp_path: Path, flavour: tuple[int, int, int, str, int]
) -> None:
    """Header, padding bits, trailer and every pixel outside the hole are the same bits."""
    width, channels, bits, order, packing = flavour
    codes = codes_of(width, channels, bits)
    path = write_dpx(tmp_path / "a.dpx", codes, bits, order, packing)
    header = read_dpx_header(path)
    hole = np.zeros((HEIGHT, width), bool)
    hole[1, 2:4] = hole[3, width - 1] = True
    wanted = np.where(hole[:, :, None], (1 << bits) - 1 - codes, codes)

    changed = with_codes(path, header, wanted, hole)

    expected = write_dpx(tmp_path / "b.dpx", wanted, bits, order, packing).read_bytes()
    assert changed == expected
    assert changed != path.read_bytes()
    # Codes outside the hole are not even looked at.
    assert with_codes(path, header, np.zeros_like(codes), hole & False) == path.read_bytes()


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("width", [8, 9])
def test_files_of_another_writer_read_alike(
    tmp_path: Path, bits: int, endian: str, width: int
) -> None:
    """What OpenImageIO writes, whose 8 and 16 bit lines are not padded, reads as it reads it."""
    path = tmp_path / "a.dpx"
    spec = oiio.ImageSpec(width, HEIGHT, 3, "uint8" if bits == 8 else "uint16")
    spec["oiio:BitsPerSample"], spec["oiio:Endian"] = bits, endian
    pixels = np.random.default_rng(2).integers(0, 1 << 16, (HEIGHT, width, 3)).astype(np.uint16)
    target = oiio.ImageOutput.create(str(path))
    assert target is not None
    assert target.open(str(path), spec)
    assert target.write_image(pixels)
    target.close()

    found = read_channels(read_header(path), part=0, names=("R", "G", "B"))

    source = oiio.ImageInput.open(str(path))
    assert source is not None
    expected = source.read_image(0, 0, 0, 3, "uint8" if bits == 8 else "uint16")
    assert expected is not None
    assert np.array_equal(found, expected)
    source.close()


def test_bottom_up_files_keep_their_order(tmp_path: Path) -> None:
    """A file whose first line is the lowest is read upright, and written back as it lay."""
    codes = codes_of(8, 3, 10)
    upright = write_dpx(tmp_path / "u.dpx", codes, 10, ">", 1)
    flipped = write_dpx(tmp_path / "f.dpx", codes[::-1], 10, ">", 1, {"orientation": 2})
    hole = np.zeros((HEIGHT, 8), bool)
    hole[0, 3] = True

    assert np.array_equal(
        read_dpx_codes(flipped, read_dpx_header(flipped)),
        read_dpx_codes(upright, read_dpx_header(upright)),
    )
    wanted = np.where(hole[:, :, None], 0, codes).astype(np.uint16)
    expected = write_dpx(tmp_path / "e.dpx", wanted[::-1], 10, ">", 1, {"orientation": 2})
    assert with_codes(flipped, read_dpx_header(flipped), wanted, hole) == expected.read_bytes()


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"elements": 2}, "2 image elements"),
        ({"descriptor": 100}, "CbYCrY"),
        ({"descriptor": 52}, "ABGR"),
        ({"encoding": 1}, "run-length"),
        ({"offset": 0}, "inside the header"),
        ({"bits": 32}, "32 bits"),
        ({"sign": 1}, "signed"),
        ({"orientation": 5}, "orientation 5"),
        ({"packing": 7}, "packing 7"),
    ],
)
def test_flavours_that_cannot_be_kept_are_refused_by_name(
    tmp_path: Path, header: dict[str, int], says: str
) -> None:
    """What cannot be written back exactly is refused, saying which flavour it is."""
    codes = codes_of(8, 3, 10)
    path = write_dpx(tmp_path / "a.dpx", codes, 10, ">", 1, header)

    with pytest.raises(FrameError, match=says) as caught:
        read_header(path)

    assert str(path) in caught.value.message


@pytest.mark.parametrize("length", [0, 3, 700, 2047, 2048, 2100])
def test_truncated_files_are_refused(tmp_path: Path, length: int) -> None:
    """A file cut anywhere is a FrameError that names it, before any pixel is decoded."""
    path = write_dpx(tmp_path / "a.dpx", codes_of(8, 3, 10), 10, ">", 1)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(FrameError) as caught:
        read_header(path)

    assert str(path) in caught.value.message
