"""Copies an EXR exactly, with channels added or replaced; the only importer of OpenEXR.

OpenEXR encodes and decodes the pixels. The headers are ours: every attribute goes from the plate's
file to the new one as the bytes it was, known to any library or not, because the package cannot
carry a string that is not UTF-8, an empty list or a damaged manifest, and refuses to read them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from infusion_engine.errors import FrameError
from infusion_engine.media.exr_header import (
    Attribute,
    ExrHeader,
    read_exr_header_from,
)
from infusion_engine.media.hush import hushed
from infusion_engine.media.image_header import frame_bytes

Channels = Mapping[str, np.ndarray]
"""One part's pixels: name to (H, W) float16, float32 or uint32 over its data window."""

_LONG_NAMES = 0x400
# What OpenEXR must see to decode the pixels.
_NEEDED = frozenset({"channels", "chunkCount", "compression", "dataWindow", "displayWindow"})
_NEEDED |= {"lineOrder", "name", "pixelAspectRatio", "tiles", "type"}
_NEEDED |= {"screenWindowCenter", "screenWindowWidth"}
_NUMBERS = {"uint32": 0, "float16": 1, "float32": 2}
_REMEDY = "Render or copy this frame again."


@dataclass(frozen=True)
class NewPart:
    """One part of the file to be written."""

    source: int
    """The part of the plate's file whose header it takes."""
    channels: Channels
    """Every channel it holds."""


def read_pixels(path: Path, header: ExrHeader) -> tuple[dict[str, np.ndarray], ...]:
    """All channels of all parts, bit for bit as decoded.

    Raises:
        FrameError: the pixels are damaged.
    """
    content = frame_bytes(path)
    needed = [[a for a in part if a.name in _NEEDED] for part in header.attributes]
    stream = io.BytesIO(_with_headers(content, header, needed))
    try:
        with hushed():
            file = OpenEXR.File(stream, separate_channels=True)
    except (RuntimeError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise FrameError(f"{path} is damaged: {error}", remedy=_REMEDY) from error
    if len(file.parts) != len(header.parts):  # it drops parts it cannot decode, and raises nothing
        raise _undecodable(path, header, {part.name() for part in file.parts})
    found = []
    for described, part in zip(header.parts, file.parts, strict=True):
        pixels = {name: channel.pixels for name, channel in part.channels.items()}
        shape = (described.data_window.height, described.data_window.width)
        if set(pixels) != set(described.names) or any(p.shape != shape for p in pixels.values()):
            raise _undecodable(path, header, {part.name() for part in file.parts})
        found.append(pixels)
    return tuple(found)


def _undecodable(path: Path, header: ExrHeader, decoded: set[str]) -> FrameError:
    """The error of a file of which only the parts named in `decoded` could be decoded."""
    lost = [part for part in header.parts if part.name not in decoded]
    what = "its pixels"
    if lost and len(header.parts) > 1:
        what = f"the pixels of its part {lost[0].index} ('{lost[0].name}')"
    return FrameError(f"{path} is damaged: {what} cannot be decoded.", remedy=_REMEDY)


def encoded_exr(header: ExrHeader, parts: Sequence[NewPart]) -> bytes:
    """The bytes of a file with those parts, under the plate's own headers.

    Compression is the part's own where that loses nothing, else ZIPS. Of the attributes only
    `channels`, `compression` and `chunkCount` may differ from the plate's.
    """
    stream = io.BytesIO()
    OpenEXR.File([_new_part(header, part) for part in parts]).write(stream)
    content = stream.getvalue()
    written = read_exr_header_from(io.BytesIO(content), len(content), Path("new.exr"))
    attributes = [
        _attributes(header.attributes[part.source], part.channels, made, written.is_multipart)
        for part, made in zip(parts, written.attributes, strict=True)
    ]
    return _with_headers(content, written, attributes)


def _new_part(header: ExrHeader, part: NewPart) -> Any:
    described = header.parts[part.source]
    compression = "zips" if described.is_lossy else described.compression
    kind = OpenEXR.tiledimage if described.is_tiled else OpenEXR.scanlineimage
    found = {attribute.name: attribute.value for attribute in header.attributes[part.source]}
    small: dict[str, Any] = {
        "type": kind,
        "compression": _compression(compression),
        "lineOrder": OpenEXR.LineOrder(found["lineOrder"][0]),
        "dataWindow": _window(found["dataWindow"]),
        "displayWindow": _window(found["displayWindow"]),
    }
    if described.is_tiled:
        across, down, _mode = struct.unpack("<IIB", found["tiles"])
        small["tiles"] = OpenEXR.TileDescription()
        small["tiles"].xSize, small["tiles"].ySize = across, down
        small["tiles"].mode = OpenEXR.ONE_LEVEL
    channels = {name: np.ascontiguousarray(pixels) for name, pixels in part.channels.items()}
    return OpenEXR.Part(small, channels, described.name or f"part{part.source}")


def _compression(name: str) -> Any:
    return getattr(OpenEXR, "NO_COMPRESSION" if name == "none" else f"{name.upper()}_COMPRESSION")


def _window(value: bytes) -> tuple[np.ndarray, np.ndarray]:
    x0, y0, x1, y1 = struct.unpack("<iiii", value)
    return np.array([x0, y0], np.int32), np.array([x1, y1], np.int32)


def _attributes(
    plate: Sequence[Attribute], channels: Channels, made: Sequence[Attribute], multipart: bool
) -> list[Attribute]:
    """The plate's attributes in their order, those that describe the chunks as they now are."""
    new = {attribute.name: attribute for attribute in made}
    found = []
    for attribute in plate:
        if attribute.name == "channels":
            found.append(replace(attribute, value=_channel_list(attribute.value, channels)))
        elif attribute.name in ("compression", "chunkCount"):
            found.append(new.get(attribute.name, attribute))
        else:
            found.append(attribute)
    if multipart:  # such files must have these
        names = {attribute.name for attribute in found}
        found += [new[name] for name in ("name", "type", "chunkCount") if name not in names]
    return found


def _channel_list(plate: bytes, channels: Channels) -> bytes:
    """The `channels` attribute: the plate's own entries as they are, new ones like them."""
    own: dict[str, bytes] = {}
    at = 0
    while plate[at]:
        end = plate.index(b"\0", at)
        own[plate[at:end].decode("utf-8")] = plate[end + 1 : end + 17]
        at = end + 17
    entries = []
    for name in sorted(channels, key=lambda name: name.encode("utf-8")):
        kind = struct.pack("<i", _NUMBERS[channels[name].dtype.name])
        linear = own[name][4:8] if name in own else b"\0\0\0\0"
        entries.append(name.encode("utf-8") + b"\0" + kind + linear + struct.pack("<ii", 1, 1))
    return b"".join(entries) + b"\0"


def _with_headers(
    content: bytes, header: ExrHeader, attributes: Sequence[Sequence[Attribute]]
) -> bytes:
    """The same chunks under other headers: the chunk tables move with them."""
    long = any(
        len(text.encode("utf-8")) > 31
        for part in attributes
        for attribute in part
        for text in (attribute.name, attribute.type)
    ) or any(len(n.encode("utf-8")) > 31 for part in attributes for n in _names(part))
    version = header.version | (_LONG_NAMES if long else 0)
    head = struct.pack("<4si", content[:4], version)
    head += b"".join(_header_bytes(part) for part in attributes)
    if header.is_multipart:
        head += b"\0"
    total = sum(header.chunks)
    offsets = np.frombuffer(content, "<u8", total, header.tables_at)
    moved = offsets + np.uint64(len(head)) - np.uint64(header.tables_at)
    return head + moved.astype("<u8").tobytes() + content[header.tables_at + 8 * total :]


def _names(part: Sequence[Attribute]) -> list[str]:
    (value,) = (attribute.value for attribute in part if attribute.name == "channels")
    found = []
    at = 0
    while value[at]:
        end = value.index(b"\0", at)
        found.append(value[at:end].decode("utf-8"))
        at = end + 17
    return found


def _header_bytes(part: Sequence[Attribute]) -> bytes:
    entries = [
        a.name.encode("utf-8") + b"\0" + a.type.encode("utf-8") + b"\0"
        + struct.pack("<i", len(a.value)) + a.value
        for a in part
    ]  # fmt: skip
    return b"".join(entries) + b"\0"
