"""Codecs: a tiny frame of each kind goes through our own reading and writing, bit for bit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from infusion_engine.doctor.findings import Finding, carried_out, failed, ok
from infusion_engine.doctor.folder import check_takes_files
from infusion_engine.errors import StorageError
from infusion_engine.media.box import Box
from infusion_engine.media.image_header import FrameHeader
from infusion_engine.media.image_io import read_header, read_whole
from infusion_engine.media.layer import Fill, WriteMode, write_frame
from infusion_engine.media.specimen import write_specimen

Channels = dict[str, np.ndarray]
"""(H, W) by name."""

_HEIGHT, _WIDTH = 6, 8
_HOLE = (slice(1, 4), slice(2, 7))
_FILL = (1.0, 0.0, 1.0)
"""Values of red, green and blue that every pixel type has exactly."""
_AWKWARD = (np.nan, -0.0, 65504.0, -65504.0, np.inf, 6e-8)
"""What a half may hold and must come out with."""
_REMEDY = "Install OpenImageIO and OpenEXR in the versions of constraints.txt."


@dataclass(frozen=True)
class _OneFrame:
    """A plate of one frame, as writing wants it."""

    file: FrameHeader
    """Its only file."""
    part: int = 0
    """The part that holds the colour."""
    colour: tuple[str, ...] = ("R", "G", "B")
    """The colour's channels."""

    def header(self, frame: int) -> FrameHeader:  # noqa: ARG002 - there is only one
        """The file's header."""
        return self.file


@dataclass(frozen=True)
class Kind:
    """A kind of file and what is put through it."""

    name: str
    """What it is called; its suffix in lower case."""
    what: str
    """What the frame holds, for people."""
    channels: Channels
    """What is written first."""
    mode: WriteMode
    """How the fill is written."""
    bits: int | None = None
    """Bits stored for a value, where that is not the arrays' own."""


def checks() -> Sequence[Finding]:
    """One finding for each kind of file."""
    try:
        # A disk that is full must not be taken for a codec that does not work.
        check_takes_files(Path(tempfile.gettempdir()), what="folder for temporary files")
        with tempfile.TemporaryDirectory(prefix="infusion-doctor-") as folder:
            return [
                carried_out(kind.name, partial(round_trip, kind, Path(folder)))
                for kind in (the_exr(), the_dpx(), the_png())
            ]
    except OSError as error:
        raise StorageError(
            f"The folder for temporary files cannot be written: {error.strerror or error}.",
            remedy="Make room there, or set TMPDIR to a folder that can be written.",
        ) from error


def round_trip(kind: Kind, folder: Path) -> Finding:
    """A frame is written, read, given a fill and read again; every bit is compared.

    Raises:
        FrameError: it cannot be read, or OpenImageIO does not write it.
        StorageError: the filled frame cannot be written.
    """
    suffix = kind.name.lower()
    plate, target = folder / f"plate.{suffix}", folder / f"filled.{suffix}"
    write_specimen(plate, kind.channels, bits=kind.bits)
    header = read_header(plate)
    changed = differing(kind.channels, read_whole(header)[0])
    if changed:
        return failed(kind.name, f"{kind.what}: read otherwise than written: {changed}", _REMEDY)
    write_frame(_OneFrame(header), 1, fill=_fill(), target=target, layer="infusion", mode=kind.mode)
    changed = differing(_expected(kind), read_whole(read_header(target))[0])
    if changed:
        return failed(kind.name, f"{kind.what}: filled otherwise than asked: {changed}", _REMEDY)
    return ok(kind.name, f"{kind.what}: written, filled and read, every bit as it should be")


def differing(expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> str:
    """Names of the channels that are missing, too many, or not the same bits; empty if none."""
    names = sorted(expected.keys() | found.keys())
    return ", ".join(name for name in names if not _same(expected.get(name), found.get(name)))


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    if a is None or b is None:
        return False
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def _fill() -> Fill:
    """All of the frame in one colour, and a matte of a box inside it."""
    matte = np.zeros((_HEIGHT, _WIDTH), np.float32)
    matte[_HOLE] = 1
    rgb = np.broadcast_to(np.array(_FILL, np.float32), (_HEIGHT, _WIDTH, 3))
    return Fill(Box(0, 0, _WIDTH, _HEIGHT), rgb, matte)


def _expected(kind: Kind) -> Channels:
    """What the filled frame has to hold."""
    channels = {name: pixels.copy() for name, pixels in kind.channels.items()}
    scale = 1.0 if channels["R"].dtype.kind == "f" else np.iinfo(channels["R"].dtype).max
    front = ""
    if kind.mode is WriteMode.LAYER:
        front = "infusion."
        channels |= {f"{front}{name}": channels[name].copy() for name in "RGB"}
        channels[f"{front}A"] = _fill().matte.astype(channels["R"].dtype)
    for name, value in zip("RGB", _FILL, strict=True):
        channels[f"{front}{name}"][_HOLE] = value * scale
    return channels


def the_exr() -> Kind:
    """Colour, alpha and two more channels, with all that a half may hold."""
    drawn = np.arange(6 * _HEIGHT * _WIDTH).reshape(6, _HEIGHT, _WIDTH) / 16 - 4
    pixels = drawn.astype(np.float16)
    pixels[:, 0, : len(_AWKWARD)] = np.array(_AWKWARD, np.float16)
    names = ("R", "G", "B", "A", "depth.Z", "motion.u")
    channels = dict(zip(names, pixels, strict=True))
    return Kind("EXR", "half, 6 channels and a layer", channels, WriteMode.LAYER)


def the_dpx() -> Kind:
    """10 bits a value; as 16 bits they are repeated to the full range."""
    codes = np.arange(3 * _HEIGHT * _WIDTH, dtype=np.uint16).reshape(3, _HEIGHT, _WIDTH) * 7
    channels = dict(zip("RGB", codes << 6 | codes >> 4, strict=True))
    return Kind("DPX", "10 bit RGB", channels, WriteMode.MERGED, bits=10)


def the_png() -> Kind:
    """16 bits with an alpha that is not premultiplied."""
    pixels = np.arange(4 * _HEIGHT * _WIDTH, dtype=np.uint16).reshape(4, _HEIGHT, _WIDTH) * 341
    channels = dict(zip("RGBA", pixels, strict=True))
    return Kind("PNG", "16 bit RGBA", channels, WriteMode.MERGED)
