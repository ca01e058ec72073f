"""What a file says of itself before pixels are decoded: format, parts, channels, windows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from infusion_engine.errors import FrameError
from infusion_engine.media.box import Box

_LARGEST_UNPROVEN = 1 << 31  # decoded bytes that any file may claim
_LARGEST_RATIO = 2000  # decoded bytes for each stored one, beyond which a claim is damage


class Format(str, Enum):
    """The kind of file, told by its first bytes and never by its name."""

    EXR = "exr"
    DPX = "dpx"
    PNG = "png"
    TIFF = "tiff"
    JPEG = "jpeg"

    @property
    def has_layers(self) -> bool:
        """True where a layer can be added beside the plate's colour."""
        return self is Format.EXR

    @property
    def output_suffix(self) -> str:
        """The suffix that frames written from such a plate take when the plate's own cannot stay.

        JPEG loses bits whenever it is written, so a JPEG plate yields PNG.
        """
        return {Format.JPEG: ".png", Format.TIFF: ".tif"}.get(self, f".{self.value}")


class PixelType(str, Enum):
    """How one value of a channel is stored once decoded."""

    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    HALF = "half"
    FLOAT = "float"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type that holds the same bits."""
        return np.dtype({"half": "float16", "float": "float32"}.get(self.value, self.value))

    @property
    def full_scale(self) -> float:
        """The largest finite value: white for integers, 65504 for half."""
        if self.is_float:
            return float(np.finfo(np.float16 if self is PixelType.HALF else np.float32).max)
        return float(2 ** (8 * self.dtype.itemsize) - 1)

    @property
    def is_float(self) -> bool:
        """True for half and float, whose values are scene-linear and unbounded."""
        return self in (PixelType.HALF, PixelType.FLOAT)


@dataclass(frozen=True)
class Channel:
    """One channel of a part."""

    name: str
    """As the file spells it, layer and view included (`R`, `diffuse.R`, `left.R`)."""
    type: PixelType
    """Type of its values; 10 and 12 bit DPX read as full-range uint16."""


@dataclass(frozen=True)
class Part:
    """One image of a file; every format but EXR has exactly one."""

    index: int
    """Position in the file, from 0."""
    name: str
    """Name of the part, or an empty string."""
    view: str | None
    """The whole part's view (`view` attribute); None where it has none."""
    views: tuple[str, ...]
    """Views whose channels share this part (`multiView` attribute), the default view first."""
    channels: tuple[Channel, ...]
    """In the file's own order (EXR: sorted by name)."""
    data_window: Box
    """Pixels the file stores."""
    display_window: Box
    """Pixels that are the picture."""
    pixel_aspect: float
    """Width of a pixel over its height."""
    compression: str
    """Lower case, as the format names it (`zips`, `dwaa`); `none` where there is none."""
    is_lossy: bool
    """True where encoding the decoded pixels again the same way would change them."""
    is_tiled: bool
    """True where pixels are stored in tiles rather than scanlines."""
    bits: int
    """Bits stored for a value of the first channel (DPX: 8, 10, 12 or 16)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels, in order."""
        return tuple(channel.name for channel in self.channels)

    def channel(self, name: str) -> Channel:
        """The channel of that name; KeyError where there is none."""
        for channel in self.channels:
            if channel.name == name:
                return channel
        raise KeyError(name)


@dataclass(frozen=True)
class FrameHeader:
    """One file, described without its pixels."""

    path: Path
    """The file."""
    format: Format
    """What it is."""
    parts: tuple[Part, ...]
    """Its images, in the file's order."""


def check_claim(path: Path, *, stored: int, parts: tuple[Part, ...]) -> None:
    """Refuses a file of `stored` bytes whose windows claim more than it could hold.

    Called before anything is allocated: one damaged number must not take the machine's memory.

    Raises:
        FrameError: the claim is beyond what any compression reaches.
    """
    decoded = sum(
        part.data_window.width
        * part.data_window.height
        * sum(channel.type.dtype.itemsize for channel in part.channels)
        for part in parts
    )
    if decoded > max(_LARGEST_UNPROVEN, stored * _LARGEST_RATIO):
        raise FrameError(
            f"{path} is damaged: {stored} bytes cannot hold the {decoded} that its header claims.",
            remedy="Render or copy this frame again.",
        )


def unreadable(path: Path, error: OSError) -> FrameError:
    """What is raised where the disk, or who may read it, does not give a frame's bytes."""
    return FrameError(
        f"{path} cannot be read: {error.strerror}.",
        remedy="Check that the file is still there and that this user may read it.",
    )


def frame_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        FrameError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
