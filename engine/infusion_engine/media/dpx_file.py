"""DPX by its bytes: reads the pixel words and overwrites only those bits that lie under the hole.

SMPTE 268M, as far as compositing uses it: one image element of RGB, RGBA or luma at 8, 10, 12 or 16
bits, either byte order, packed or filled (methods A and B). Every other flavour is refused by name.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np

from infusion_engine.errors import FrameError
from infusion_engine.media.box import Box
from infusion_engine.media.image_header import Channel, Part, PixelType, frame_bytes, unreadable

MAGICS = {b"SDPX": ">", b"XPDS": "<"}
_DESCRIPTORS = {6: ("Y",), 50: ("R", "G", "B"), 51: ("R", "G", "B", "A")}
_DESCRIPTOR_NAMES = {
    1: "red alone", 2: "green alone", 3: "blue alone", 4: "alpha alone", 7: "colour difference",
    8: "depth", 9: "composite video", 52: "ABGR", 100: "CbYCrY 4:2:2", 101: "CbYACrYA 4:2:2:4",
    102: "CbYCr 4:4:4", 103: "CbYCrA 4:4:4:4",
}  # fmt: skip
_HEADER_BYTES = 1664
_LARGEST_SIDE = 1 << 17
_UNDEFINED = 0xFFFFFFFF
_REMEDY = "Render or copy this frame again."


class Packing(Enum):
    """How values lie in 32-bit words (8 and 16 bit lie in bytes and pairs of bytes)."""

    PACKED = 0
    METHOD_A = 1
    METHOD_B = 2


@dataclass(frozen=True)
class DpxHeader:
    """What reading and overwriting the pixels needs."""

    order: str
    """`>` or `<`, the file's byte order."""
    width: int
    """Pixels across."""
    height: int
    """Lines."""
    names: tuple[str, ...]
    """Channels in the order they lie in."""
    bits: int
    """8, 10, 12 or 16 bits a value."""
    packing: Packing
    """How they lie in words."""
    offset: int
    """Where the first line begins, in bytes."""
    line_bytes: int
    """From one line's beginning to the next, padding included."""
    bottom_up: bool
    """True where the file's first line is the picture's lowest."""
    pixel_aspect: float
    """Width of a pixel over its height."""

    @property
    def values_per_line(self) -> int:
        """Values in one line."""
        return self.width * len(self.names)

    @property
    def pixel_type(self) -> PixelType:
        """8 bit reads as uint8; everything else as uint16 over its full range."""
        return PixelType.UINT8 if self.bits == 8 else PixelType.UINT16

    def part(self) -> Part:
        """The file's one image, described like those of every other format."""
        box = Box(0, 0, self.width, self.height)
        return Part(
            index=0, name="", view=None, views=(),
            channels=tuple(Channel(name, self.pixel_type) for name in self.names),
            data_window=box, display_window=box, pixel_aspect=self.pixel_aspect,
            compression="none", is_lossy=False, is_tiled=False, bits=self.bits,
        )  # fmt: skip


def read_dpx_header(path: Path) -> DpxHeader:
    """The file's header, checked against its length.

    Raises:
        FrameError: it is damaged, or of a flavour that is refused by name.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(2048)
            size = stream.seek(0, 2)
    except OSError as error:
        raise unreadable(path, error) from error
    if head[:4] not in MAGICS:
        raise FrameError(f"{path} is not a DPX file.", remedy=_REMEDY)
    if len(head) < _HEADER_BYTES:
        raise FrameError(f"{path} is damaged: it ends inside its DPX header.", remedy=_REMEDY)
    header = _understand(head, path)
    if _end(header) > size and header.bits in (8, 12, 16):
        # Lines ought to begin on a 32-bit word; many writers let them follow one another instead.
        close = replace(header, line_bytes=header.values_per_line * _bytes_of(header))
        header = close if header.packing is not Packing.PACKED or header.bits != 12 else header
    needed = _end(header)
    if needed > size:
        raise FrameError(
            f"{path} is damaged: it has {size} bytes where {header.width}x{header.height} "
            f"at {header.bits} bit needs {needed}.",
            remedy=_REMEDY,
        )
    return header


def _bytes_of(header: DpxHeader) -> int:
    """Bytes that one value fills, where values do not share them."""
    return 1 if header.bits == 8 else 2


def _end(header: DpxHeader) -> int:
    """Where the last line's values end, in bytes from the file's beginning."""
    values = _layout(header)
    last = int(values.index[-1]) * _word_bits(values) + int(values.shift[-1]) + header.bits
    words = -(-last // _word_bits(values))
    start = header.offset + header.line_bytes * (header.height - 1)
    return start + words * values.word.itemsize


def _understand(head: bytes, path: Path) -> DpxHeader:
    order = MAGICS[head[:4]]
    (image_offset,) = struct.unpack_from(order + "I", head, 4)
    orientation, elements, width, height = struct.unpack_from(order + "HHII", head, 768)
    (sign,) = struct.unpack_from(order + "I", head, 780)
    descriptor, _transfer, _colorimetric, bits = struct.unpack_from("BBBB", head, 800)
    packing, encoding, offset, line_padding = struct.unpack_from(order + "HHII", head, 804)
    across, down = struct.unpack_from(order + "II", head, 1628)
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise FrameError(f"{path} is damaged: it claims {width}x{height} pixels.", remedy=_REMEDY)
    if elements != 1:
        raise _refused(path, f"{elements} image elements (one was expected)")
    if descriptor not in _DESCRIPTORS:
        raise _refused(path, _DESCRIPTOR_NAMES.get(descriptor, f"descriptor {descriptor}"))
    if bits not in (8, 10, 12, 16):
        raise _refused(path, f"{bits} bits a value")
    if encoding not in (0, 0xFFFF):
        raise _refused(path, "run-length encoding")
    if sign not in (0, _UNDEFINED):
        raise _refused(path, "signed values")
    if orientation not in (0, 2, 0xFFFF):
        raise _refused(path, f"orientation {orientation} (top or bottom line first was expected)")
    if packing > 2:
        raise _refused(path, f"packing {packing}")
    if offset == _UNDEFINED:
        offset = image_offset
    if offset < _HEADER_BYTES:
        raise _refused(path, f"pixels at byte {offset}, inside the header")
    names = _DESCRIPTORS[descriptor]
    packs = Packing(packing)
    padding = 0 if line_padding == _UNDEFINED else line_padding
    aspect = across / down if _UNDEFINED not in (across, down) and across and down else 1.0
    return DpxHeader(
        order=order, width=width, height=height, names=names, bits=bits, packing=packs,
        offset=offset, line_bytes=_line_length(width * len(names), bits, packs) + padding,
        bottom_up=orientation == 2, pixel_aspect=aspect,
    )  # fmt: skip


def _line_length(values: int, bits: int, packing: Packing) -> int:
    """Bytes of one line; each line begins on a 32-bit word."""
    if bits == 10 and packing is not Packing.PACKED:
        return -(-values // 3) * 4
    if bits == 12 and packing is not Packing.PACKED:
        return -(-values // 2) * 4
    return -(-values * bits // 32) * 4


def _refused(path: Path, what: str) -> FrameError:
    return FrameError(
        f"{path} is a DPX flavour that is not read: {what}.",
        remedy="Write it as one RGB element of 8, 10, 12 or 16 bits, not encoded.",
    )


@dataclass(frozen=True)
class _Layout:
    """Where each value of a line lies."""

    word: np.dtype[np.generic]
    """The unit that is byte-swapped, in the file's byte order."""
    index: np.ndarray
    """(values,) the word that holds a value's lowest bit."""
    shift: np.ndarray
    """(values,) how far up that word its lowest bit lies; the rest continues in the next word."""


def _layout(header: DpxHeader) -> _Layout:
    values = np.arange(header.values_per_line, dtype=np.int64)
    nothing = np.zeros_like(values)
    high = header.packing is Packing.METHOD_A
    if header.bits == 8:
        return _Layout(np.dtype("u1"), values, nothing)
    if header.bits == 16:
        return _Layout(np.dtype(header.order + "u2"), values, nothing)
    if header.packing is Packing.PACKED:
        at = values * header.bits
        return _Layout(np.dtype(header.order + "u4"), at // 32, at % 32)
    if header.bits == 12:
        return _Layout(np.dtype(header.order + "u2"), values, nothing + (4 if high else 0))
    within = values % 3 if len(header.names) == 1 else 2 - values % 3  # luma lies lowest first
    return _Layout(np.dtype(header.order + "u4"), values // 3, within * 10 + (2 if high else 0))


def read_dpx_codes(path: Path, header: DpxHeader) -> np.ndarray:
    """The code values as stored (0..1023 at 10 bit), (H, W, C) uint16, the top line first.

    Raises:
        FrameError: the file ends too early.
    """
    layout = _layout(header)
    lines = _lines(bytearray(frame_bytes(path)), header, layout)
    words = np.pad(lines, ((0, 0), (0, 1))).astype(np.uint64)
    both = words[:, layout.index] | (words[:, layout.index + 1] << np.uint64(_word_bits(layout)))
    codes = (both >> layout.shift.astype(np.uint64)) & np.uint64((1 << header.bits) - 1)
    pixels = codes.astype(np.uint16).reshape(header.height, header.width, len(header.names))
    return pixels[::-1] if header.bottom_up else pixels


def _word_bits(layout: _Layout) -> int:
    return layout.word.itemsize * 8


def _lines(data: bytearray, header: DpxHeader, layout: _Layout) -> np.ndarray:
    """(H, words) the file's lines as words, a view into `data`."""
    size = layout.word.itemsize
    words = -(
        -(int(layout.index[-1]) * size * 8 + int(layout.shift[-1]) + header.bits) // (size * 8)
    )
    return np.ndarray(
        (header.height, words), layout.word, data, header.offset, (header.line_bytes, size)
    )


def expanded(codes: np.ndarray, header: DpxHeader) -> np.ndarray:
    """Codes as :class:`PixelType` says: uint8, or uint16 with the bits repeated to full range."""
    if header.bits == 8:
        return codes.astype(np.uint8)
    spare = 16 - header.bits
    return (codes << spare) | (codes >> (header.bits - spare)) if spare else codes


def with_codes(path: Path, header: DpxHeader, codes: np.ndarray, hole: np.ndarray) -> bytes:
    """The file's bytes with the values of pixels inside `hole` (H, W) replaced by those of `codes`.

    `codes` is (H, W, C) uint16, the picture's top line first. Not one other bit changes.
    """
    data = bytearray(frame_bytes(path))
    layout = _layout(header)
    lines = _lines(data, header, layout)
    if header.bottom_up:
        codes, hole = codes[::-1], hole[::-1]
    y, x, channel = np.nonzero(np.repeat(hole[:, :, None], len(header.names), axis=2))
    value = x * len(header.names) + channel
    index, shift = layout.index[value], layout.shift[value].astype(np.uint64)
    new = codes[y, x, channel].astype(np.uint64) << shift
    bits = np.uint64((1 << header.bits) - 1) << shift
    words = np.array(lines, dtype=np.uint64)
    low = np.uint64((1 << _word_bits(layout)) - 1)
    np.bitwise_and.at(words, (y, index), ~(bits & low))
    np.bitwise_or.at(words, (y, index), new & low)
    over = (bits >> np.uint64(_word_bits(layout))) != 0
    y, index, rest = y[over], index[over] + 1, np.uint64(_word_bits(layout))
    np.bitwise_and.at(words, (y, index), ~(bits[over] >> rest))
    np.bitwise_or.at(words, (y, index), new[over] >> rest)
    lines[...] = words.astype(layout.word)
    return bytes(data)
