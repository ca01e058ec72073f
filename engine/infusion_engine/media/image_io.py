"""Reads any frame's header and pixels, writes raster frames, through OpenImageIO."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813  (its own documentation's name for it)

from infusion_engine.errors import FrameError, StorageError
from infusion_engine.media import dpx_file, exr_file
from infusion_engine.media.atomic import replacing
from infusion_engine.media.box import Box
from infusion_engine.media.exr_header import MAGIC as EXR_MAGIC
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_header import (
    Channel,
    Format,
    FrameHeader,
    Part,
    PixelType,
    check_claim,
    frame_bytes,
    unreadable,
)

__all__ = ["Channel", "Format", "FrameHeader", "Part", "PixelType"]  # handed on
__all__ += ["Pixels", "read_channels", "read_header", "read_whole"]

Pixels = Mapping[int, Mapping[str, np.ndarray]]
"""Part by index, in it channel by name: (H, W) over the part's data window, as stored."""


_MAGICS = (
    (EXR_MAGIC, Format.EXR),
    (b"SDPX", Format.DPX),
    (b"XPDS", Format.DPX),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"II*\0", Format.TIFF),
    (b"MM\0*", Format.TIFF),
    (b"II+\0", Format.TIFF),
    (b"MM\0+", Format.TIFF),
    (b"\xff\xd8\xff", Format.JPEG),
)
_TYPES = {
    "uint8": PixelType.UINT8,
    "uint16": PixelType.UINT16,
    "uint32": PixelType.UINT32,
    "uint": PixelType.UINT32,
    "half": PixelType.HALF,
    "float": PixelType.FLOAT,
}
_PNG_END = b"IEND\xae\x42\x60\x82"
_LOSSLESS_TIFF = ("none", "lzw", "zip", "packbits")
_REMEDY = "Render or copy this frame again."
_ONE_IMAGE = "Write each frame as a file of one image."


def read_header(path: Path) -> FrameHeader:
    """What the file holds, without decoding a pixel.

    Raises:
        FrameError: it is missing, damaged, or of a kind that is refused by name.
    """
    kind = _format(path)
    if kind is Format.EXR:
        return FrameHeader(path, kind, read_exr_header(path).parts)
    if kind is Format.DPX:
        return FrameHeader(path, kind, (dpx_file.read_dpx_header(path).part(),))
    return FrameHeader(path, kind, (_raster_part(path, kind),))


def read_channels(header: FrameHeader, *, part: int, names: Sequence[str]) -> np.ndarray:
    """Those channels of that part over its data window, bit for bit as stored.

    Returns:
        (H, W, C) in `names`' order and the channels' own type: float16, float32, uint32, uint16 or
        uint8 (10 and 12 bit DPX: uint16 over its full range). All must share one type.

    Raises:
        FrameError: the pixels are damaged, or no channel has such a name.
    """
    described = header.parts[part]
    missing = [name for name in names if name not in described.names]
    if missing:
        raise FrameError(
            f"{header.path} has no channel {missing[0]!r}; it has {', '.join(described.names)}.",
            remedy="Name one of those, or render all frames again with the same channels.",
        )
    types = {described.channel(name).type for name in names}
    if len(types) != 1:
        raise FrameError(
            f"{header.path} stores {', '.join(names)} in different pixel types; one was expected.",
            remedy="Write the sequence again with these channels as all half or all float.",
        )
    (pixel_type,) = types
    if header.format is Format.DPX:
        dpx = dpx_file.read_dpx_header(header.path)
        pixels = dpx_file.expanded(dpx_file.read_dpx_codes(header.path, dpx), dpx)
        return pixels[:, :, [dpx.names.index(name) for name in names]]
    if pixel_type is PixelType.UINT32:  # OpenImageIO takes these through float, which loses bits
        pixels_by_part = exr_file.read_pixels(header.path, read_exr_header(header.path))
        return np.stack([pixels_by_part[part][name] for name in names], axis=2)
    return _read_oiio(header, part, names, pixel_type)


def read_whole(header: FrameHeader) -> Pixels:
    """Every channel of every part, bit for bit as stored.

    Raises:
        FrameError: any of the pixels are damaged.
    """
    if header.format is Format.EXR:
        return dict(enumerate(exr_file.read_pixels(header.path, read_exr_header(header.path))))
    (part,) = header.parts
    pixels = read_channels(header, part=0, names=part.names)
    return {0: {name: pixels[:, :, at] for at, name in enumerate(part.names)}}


def write_raster(header: FrameHeader, pixels: np.ndarray, target: Path) -> None:
    """Writes all channels of a PNG, TIFF or JPEG plate under its own metadata; JPEG becomes PNG.

    `pixels` is (H, W, C) in the plate's pixel type and channel order; the suffix of `target` tells
    the format. The file appears whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    spec = _spec_to_write(header)
    with replacing(target) as temporary:
        output = oiio.ImageOutput.create(str(temporary))
        if output is None:
            raise StorageError(
                f"{target} could not be written: {_one_line(oiio.geterror())}",
                remedy="Give --output a suffix that OpenImageIO writes: PNG or TIFF.",
            )
        opened = output.open(str(temporary), spec)
        written = opened and output.write_image(np.ascontiguousarray(pixels))
        closed = output.close()
        said = output.geterror()
        if not (written and closed and _reads_back(temporary, pixels)):
            # OpenImageIO seldom tells what the disk said; asking the disk again does.
            with temporary.open("ab") as stream:
                stream.write(bytes(pixels.nbytes))
                os.fsync(stream.fileno())
            raise StorageError(
                f"{target} could not be written: {_one_line(said)}",
                remedy="Check that its volume has room and holds files of that size.",
            )


def _reads_back(path: Path, pixels: np.ndarray) -> bool:
    """True where the file holds those bits: a PNG on a full disk is cut short without a word."""
    try:
        header = read_header(path)
        found = read_channels(header, part=0, names=header.parts[0].names)
    except FrameError:
        return False
    if header.format is Format.PNG and not frame_bytes(path).endswith(_PNG_END):
        return False
    return found.tobytes() == np.ascontiguousarray(pixels).tobytes()


def _spec_to_write(header: FrameHeader) -> oiio.ImageSpec:
    """The plate's own description, without what belongs to its compression."""
    source = _open(header.path)
    spec = oiio.ImageSpec(source.spec())
    source.close()
    for name in [attribute.name for attribute in spec.extra_attribs]:
        if name.startswith(("jpeg:", "oiio:subimage")) or name == "oiio:ColorSpaceGuess":
            spec.erase_attribute(name)
    if header.parts[0].is_lossy:
        spec.erase_attribute("compression")
    if header.format is Format.TIFF and header.parts[0].compression not in _LOSSLESS_TIFF:
        spec["compression"] = "zip"
    spec.tile_width = spec.tile_height = spec.tile_depth = 0
    return spec


def _format(path: Path) -> Format:
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise unreadable(path, error) from error
    for magic, kind in _MAGICS:
        if start.startswith(magic):
            return kind
    raise FrameError(
        f"{path} is not a picture of a kind that is read ("
        + ("it is empty" if not start else f"it begins with {start[:4]!r}")
        + "; EXR, DPX, PNG, TIFF or JPEG was expected).",
        remedy=_REMEDY,
    )


def _open(path: Path) -> oiio.ImageInput:
    hints = oiio.ImageSpec()
    hints["oiio:UnassociatedAlpha"] = 1
    source = oiio.ImageInput.open(str(path), hints)
    if source is None:
        raise FrameError(f"{path} is damaged: {_one_line(oiio.geterror())}", remedy=_REMEDY)
    return source


def _one_line(text: str) -> str:
    """The first line of a library's message, or our own where it says nothing."""
    lines = text.strip().splitlines() or ["it cannot be decoded"]
    return lines[0].rstrip(".") + "."


def _raster_part(path: Path, kind: Format) -> Part:
    try:
        source = _open(path)
        spec = source.spec()
        images = 2 if source.seek_subimage(1, 0) else 1
        source.close()
        if images > 1:
            raise FrameError(f"{path} holds several images; one was expected.", remedy=_ONE_IMAGE)
        _refuse_colour_space(path, spec)
        if kind is Format.JPEG and not _jpeg_is_whole(path):
            raise FrameError(f"{path} is damaged: it ends before its last line.", remedy=_REMEDY)
        pixel_type = _TYPES.get(str(spec.format))
        if pixel_type is None or spec.channelformats or spec.deep or spec.depth > 1:
            raise FrameError(
                f"{path} holds pixels of type {spec.format}, which is not read "
                "(8 or 16 bit integers, half or float were expected).",
                remedy="Write the sequence again as one of those.",
            )
        bits = int(spec.getattribute("oiio:BitsPerSample") or 0) or pixel_type.dtype.itemsize * 8
        if kind is Format.TIFF and bits != pixel_type.dtype.itemsize * 8:
            raise FrameError(
                f"{path} holds {bits} bits a value; TIFF of 8, 16 or 32 bits was expected.",
                remedy="Write the sequence again as one of those.",
            )
        part = Part(
            index=0,
            name="",
            view=None,
            views=(),
            channels=tuple(Channel(name, pixel_type) for name in spec.channelnames),
            data_window=Box(spec.x, spec.y, spec.x + spec.width, spec.y + spec.height),
            display_window=Box(
                spec.full_x,
                spec.full_y,
                spec.full_x + spec.full_width,
                spec.full_y + spec.full_height,
            ),
            pixel_aspect=float(spec.getattribute("PixelAspectRatio") or 1.0),
            compression=str(spec.getattribute("compression") or "none"),
            is_lossy=kind is Format.JPEG,
            is_tiled=spec.tile_width > 0,
            bits=bits,
        )
        check_claim(path, stored=path.stat().st_size, parts=(part,))
        return part
    except UnicodeDecodeError as error:
        raise FrameError(
            f"{path} is damaged: its header makes no sense.", remedy=_REMEDY
        ) from error


def _refuse_colour_space(path: Path, spec: oiio.ImageSpec) -> None:
    """OpenImageIO hands these over as RGB that it could not write back."""
    for name in ("tiff:ColorSpace", "jpeg:ColorSpace"):
        space = spec.getattribute(name)
        if (space and name == "tiff:ColorSpace") or space in ("CMYK", "YCCK"):
            raise FrameError(
                f"{path} stores its colour as {space}; RGB or grey was expected.",
                remedy="Write it as RGB.",
            )
    if spec.getattribute("compression") == "jpeg":
        raise FrameError(
            f"{path} is a TIFF compressed as JPEG, which is not read.",
            remedy="Write it with ZIP, LZW or no compression.",
        )


def _jpeg_is_whole(path: Path) -> bool:
    """True where the picture's own end marker follows its first scan: decoders do not tell."""
    content = frame_bytes(path)
    at = 2
    while content[at : at + 2] not in (b"\xff\xda", b""):
        if content[at] != 0xFF:
            return False
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return content.find(b"\xff\xd9", at) >= 0


def _read_oiio(
    header: FrameHeader, part: int, names: Sequence[str], pixel_type: PixelType
) -> np.ndarray:
    """Runs of neighbouring channels are read together, and nothing else is unpacked."""
    path = header.path
    box = header.parts[part].data_window
    source = _open(path)
    try:
        # The order is OpenImageIO's own (colour first), not the file's.
        order = list(source.spec(part, 0).channelnames)
        wanted = sorted((order.index(name), at) for at, name in enumerate(names))
        pixels = np.empty((box.height, box.width, len(names)), pixel_type.dtype)
        while wanted:
            run = [wanted.pop(0)]
            while wanted and wanted[0][0] <= run[-1][0] + 1:
                run.append(wanted.pop(0))
            first, last = run[0][0], run[-1][0]
            found = source.read_image(part, 0, first, last + 1, pixel_type.value)
            if found is None:
                raise FrameError(
                    f"{path} is damaged: {_one_line(source.geterror())}", remedy=_REMEDY
                )
            found = found.reshape(box.height, box.width, last + 1 - first)
            for index, at in run:
                pixels[:, :, at] = found[:, :, index - first]
        return pixels
    except (UnicodeDecodeError, ValueError) as error:
        raise FrameError(
            f"{path} is damaged: its header makes no sense.", remedy=_REMEDY
        ) from error
    finally:
        source.close()
