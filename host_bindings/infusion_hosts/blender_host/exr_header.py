"""EXR headers: which channels a file holds and where they lie, read without any library.

Blender tells neither, and both decide whether the engine may read a file as it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, Optional, Tuple

Box = Tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, all inclusive."""

_MAGIC = 20000630
_DEEP, _PARTS = 0x800, 0x1000
_LONGEST = 1 << 20  # bytes of one attribute: previews are the largest, the rest is far smaller


@dataclass(frozen=True)
class ExrHeader:
    """What the header of an EXR file says, as far as it matters here."""

    channels: Tuple[str, ...]
    """Names of all channels, such as `R` or `infusion.A`."""
    data_window: Box
    """The pixels that are stored."""
    display_window: Box
    """The pixels that a viewer shows."""

    @property
    def is_plain(self) -> bool:
        """True when the stored pixels are the picture, whose corner is the origin."""
        return self.data_window == self.display_window and self.data_window[:2] == (0, 0)


def read_header(path: Path) -> Optional[ExrHeader]:
    """The header of a flat EXR of one part; None for any other file, and for a damaged one."""
    try:
        with path.open("rb") as file:
            magic, version = struct.unpack("<II", file.read(8))
            if magic != _MAGIC or version & (_DEEP | _PARTS):
                return None
            found = _attributes(file)
        data, display = (_box(found[name]) for name in ("dataWindow", "displayWindow"))
        return ExrHeader(_channels(found["channels"]), data, display)
    except (OSError, KeyError, ValueError, struct.error):
        return None


def _attributes(file: BinaryIO) -> Dict[str, bytes]:
    """The header's attributes by name, as bytes."""
    found: Dict[str, bytes] = {}
    while True:
        name = _word(file)
        if not name:
            return found
        _word(file)  # its type
        (size,) = struct.unpack("<I", file.read(4))
        if size > _LONGEST:
            raise ValueError("an attribute larger than any")
        found[name] = file.read(size)


def _word(file: BinaryIO) -> str:
    """A text that ends with a null byte."""
    letters = bytearray()
    while True:
        letter = file.read(1)
        if not letter or len(letters) > 255:
            raise ValueError("a name without an end")
        if letter == b"\0":
            return letters.decode("utf-8", "replace")
        letters += letter


def _channels(body: bytes) -> Tuple[str, ...]:
    """The names in a list of channels: each is followed by 16 bytes that do not matter here."""
    names = []
    while body and body[0]:
        name, _, rest = body.partition(b"\0")
        names.append(name.decode("utf-8", "replace"))
        body = rest[16:]
    return tuple(names)


def _box(body: bytes) -> Box:
    """Four whole numbers."""
    left, top, right, bottom = struct.unpack("<4i", body)
    return left, top, right, bottom
