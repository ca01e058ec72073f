"""Reads an OpenEXR file's headers byte by byte, so that damage and kinds we refuse are seen first.

Libraries abort the process, allocate without limit or answer with half a picture for some files;
whatever they would choke on is refused here, by name, from the header and the chunk tables alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from infusion_engine.errors import FrameError
from infusion_engine.media.box import Box
from infusion_engine.media.image_header import Channel, Part, PixelType, check_claim, unreadable

MAGIC = b"\x76\x2f\x31\x01"
COMPRESSIONS = (
    "none", "rle", "zips", "zip", "piz", "pxr24",
    "b44", "b44a", "dwaa", "dwab", "htj2k256", "htj2k32",
)  # fmt: skip # by number in the file
LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 256, 32)  # scanlines in a chunk of each
_PIXEL_TYPES = (PixelType.UINT32, PixelType.HALF, PixelType.FLOAT)
_TILED, _DEEP, _MULTIPART = 0x200, 0x800, 0x1000
_LARGEST_SIDE = 1 << 17
_REMEDY = "Render or copy this frame again."


@dataclass(frozen=True)
class Attribute:
    """One header attribute as it lies in the file."""

    name: str
    """Its name."""
    type: str
    """Its type's name (`string`, `box2i`, ...)."""
    value: bytes
    """Its bytes."""


@dataclass(frozen=True)
class ExrHeader:
    """The headers of a whole file, and what else writing it again needs."""

    version: int
    """Version number and flags."""
    attributes: tuple[tuple[Attribute, ...], ...]
    """For each part its attributes, in the file's order."""
    parts: tuple[Part, ...]
    """The same parts, understood."""
    tables_at: int
    """Where the chunk tables begin, in bytes."""
    chunks: tuple[int, ...]
    """Chunks of each part."""

    @property
    def is_multipart(self) -> bool:
        """True for the layout that numbers its chunks by part."""
        return bool(self.version & _MULTIPART)


def read_exr_header(path: Path) -> ExrHeader:
    """The file's headers, checked against each other and against its chunk tables.

    Raises:
        FrameError: it is damaged, incomplete, or of a kind that is refused by name.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            return read_exr_header_from(stream, size, path)
    except OSError as error:
        raise unreadable(path, error) from error


def read_exr_header_from(stream: BinaryIO, size: int, path: Path) -> ExrHeader:
    """The headers at the start of `stream`, which is `size` bytes long; `path` is for messages.

    Raises:
        FrameError: as :func:`read_exr_header`.
    """
    try:
        return _read(stream, size, path)
    except (struct.error, UnicodeDecodeError, ValueError, LookupError) as error:
        raise FrameError(
            f"{path} is damaged: its EXR header makes no sense ({error}).", remedy=_REMEDY
        ) from error


def _read(stream: BinaryIO, size: int, path: Path) -> ExrHeader:
    magic, version = struct.unpack("<4si", _take(stream, 8))
    if magic != MAGIC or version & 0xFF != 2:
        raise FrameError(f"{path} is not an EXR file of version 2.", remedy=_REMEDY)
    if version & _DEEP:
        raise _refused(path, "deep EXR (samples at several depths)", "Flatten it first.")
    multipart = bool(version & _MULTIPART)
    headers: list[tuple[Attribute, ...]] = []
    while attributes := _read_attributes(stream, size):
        headers.append(attributes)
        if not multipart:
            break
    if not headers:
        raise FrameError(f"{path} is damaged: it holds no EXR part.", remedy=_REMEDY)
    parts = tuple(
        _understand(index, attributes, path, tiled_flag=bool(version & _TILED))
        for index, attributes in enumerate(headers)
    )
    if len({part.name for part in parts}) != len(parts):
        raise FrameError(f"{path} is damaged: two of its parts share a name.", remedy=_REMEDY)
    chunks = tuple(
        _chunk_count(part, {a.name: a for a in attributes}, path)
        for part, attributes in zip(parts, headers, strict=True)
    )
    header = ExrHeader(version, tuple(headers), parts, stream.tell(), chunks)
    _check_tables(stream, size, header, path)
    return header


def _take(stream: BinaryIO, count: int) -> bytes:
    """Exactly `count` bytes; ValueError at the end of the file."""
    found = stream.read(count)
    if len(found) != count:
        raise ValueError("the file ends inside its header")
    return found


def _take_text(stream: BinaryIO) -> str:
    """A NUL-terminated name of at most 255 bytes."""
    text = bytearray()
    while (byte := _take(stream, 1)) != b"\0":
        text += byte
        if len(text) > 255:
            raise ValueError("a name without an end")
    return text.decode("utf-8")


def _read_attributes(stream: BinaryIO, size: int) -> tuple[Attribute, ...]:
    found = []
    while name := _take_text(stream):
        kind = _take_text(stream)
        (length,) = struct.unpack("<i", _take(stream, 4))
        if not 0 <= length <= size:
            raise ValueError("an attribute longer than the file")
        found.append(Attribute(name, kind, _take(stream, length)))
    return tuple(found)


def _understand(
    index: int, attributes: tuple[Attribute, ...], path: Path, *, tiled_flag: bool
) -> Part:
    values = {attribute.name: attribute for attribute in attributes}
    if len(values) != len(attributes):
        raise ValueError("an attribute given twice")
    for name in ("channels", "compression", "dataWindow", "displayWindow", "lineOrder"):
        if name not in values:
            raise FrameError(f"{path} is damaged: part {index} has no `{name}`.", remedy=_REMEDY)
    kind = _text(values, "type") or ("tiledimage" if tiled_flag else "scanlineimage")
    if kind.startswith("deep"):
        raise _refused(path, "deep EXR (samples at several depths)", "Flatten it first.")
    if kind not in ("scanlineimage", "tiledimage"):
        raise _refused(path, f"EXR part of type {kind!r}", "Write it as scanlines.")
    number = values["compression"].value[0]
    if number >= len(COMPRESSIONS):
        raise _refused(path, f"EXR compression number {number}", "Write it with ZIP or PIZ.")
    if kind == "tiledimage" and values["tiles"].value[8] & 0x0F:
        raise _refused(path, "mipmapped or ripmapped EXR", "Write the full resolution alone.")
    channels = _channels(values["channels"].value, path)
    compression = COMPRESSIONS[number]
    part = Part(
        index=index,
        name=_text(values, "name"),
        view=_text(values, "view") or None,
        views=_strings(values["multiView"].value) if "multiView" in values else (),
        channels=channels,
        data_window=_box(values["dataWindow"]),
        display_window=_box(values["displayWindow"]),
        pixel_aspect=_pixel_aspect(values),
        compression=compression,
        is_lossy=_is_lossy(compression, channels),
        is_tiled=kind == "tiledimage",
        bits=channels[0].type.dtype.itemsize * 8,
    )
    _check_window(part, path)
    return part


def _channels(value: bytes, path: Path) -> tuple[Channel, ...]:
    found = []
    at = 0
    while value[at]:
        end = value.index(b"\0", at)
        name = value[at:end].decode("utf-8")
        kind, _linear, across, down = struct.unpack_from("<iiii", value, end + 1)
        if not 0 <= kind <= 2 or across < 1 or down < 1 or not name.isprintable():
            raise ValueError("a channel that makes no sense")
        if (across, down) != (1, 1):
            raise _refused(
                path,
                f"EXR with a subsampled channel ({name!r}, {across}x{down}: luminance-chroma)",
                "Write it as RGB.",
            )
        found.append(Channel(name, _PIXEL_TYPES[kind]))
        at = end + 17
    names = [channel.name for channel in found]
    if at != len(value) - 1 or not found or len(set(names)) != len(names):
        raise ValueError("a channel list that makes no sense")
    return tuple(found)


def _is_lossy(compression: str, channels: tuple[Channel, ...]) -> bool:
    """PXR24 drops bits of float alone; B44 of half; DWA of anything it takes for colour."""
    if compression == "pxr24":
        return any(channel.type is PixelType.FLOAT for channel in channels)
    return compression in ("b44", "b44a", "dwaa", "dwab")


def _box(attribute: Attribute) -> Box:
    x0, y0, x1, y1 = struct.unpack("<iiii", attribute.value)
    return Box(x0, y0, x1 + 1, y1 + 1)


def _text(values: dict[str, Attribute], name: str) -> str:
    return values[name].value.decode("utf-8").rstrip("\0") if name in values else ""


def _strings(value: bytes) -> tuple[str, ...]:
    """A `stringvector`; an unreadable one (some files hold another type there) counts as none."""
    found = []
    at = 0
    while at + 4 <= len(value):
        (length,) = struct.unpack_from("<i", value, at)
        if not 0 <= length <= len(value) - at - 4:
            return ()
        found.append(value[at + 4 : at + 4 + length].decode("utf-8"))
        at += 4 + length
    return tuple(found)


def _pixel_aspect(values: dict[str, Attribute]) -> float:
    if "pixelAspectRatio" not in values:
        return 1.0
    return float(struct.unpack("<f", values["pixelAspectRatio"].value)[0])


def _check_window(part: Part, path: Path) -> None:
    window = part.data_window
    if window.is_empty or max(window.width, window.height) > _LARGEST_SIDE:
        raise FrameError(
            f"{path} is damaged: part {part.index} claims a data window of {window}.",
            remedy=_REMEDY,
        )


def _chunk_count(part: Part, values: dict[str, Attribute], path: Path) -> int:
    window = part.data_window
    if part.is_tiled:
        across, down = (int(side) for side in struct.unpack_from("<II", values["tiles"].value))
        if not (0 < across <= _LARGEST_SIDE and 0 < down <= _LARGEST_SIDE):
            raise ValueError("tiles without a size")
        count = -(-window.width // across) * -(-window.height // down)
    else:
        count = -(-window.height // LINES[COMPRESSIONS.index(part.compression)])
    if "chunkCount" in values:
        (said,) = struct.unpack("<i", values["chunkCount"].value)
        if said != count:
            raise FrameError(
                f"{path} is damaged: part {part.index} says it has {said} chunks where its "
                f"window needs {count}.",
                remedy=_REMEDY,
            )
    return count


def _check_tables(stream: BinaryIO, size: int, header: ExrHeader, path: Path) -> None:
    total = sum(header.chunks)
    first = header.tables_at + 8 * total
    if first > size:
        raise FrameError(f"{path} is damaged: it ends inside its chunk table.", remedy=_REMEDY)
    check_claim(path, stored=size, parts=header.parts)
    offsets = struct.unpack(f"<{total}Q", _take(stream, 8 * total))
    missing = sum(not first <= offset < size for offset in offsets)
    if missing:
        raise FrameError(
            f"{path} is incomplete: {missing} of its {total} chunks were never written.",
            remedy=_REMEDY,
        )


def _refused(path: Path, what: str, remedy: str) -> FrameError:
    return FrameError(f"{path} is a kind that is not read: {what}.", remedy=remedy)
