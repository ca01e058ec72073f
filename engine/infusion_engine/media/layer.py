"""Writes one frame: the plate's own bits, with the fill as a new layer or merged under the hole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np

from infusion_engine.errors import FrameError, UsageError
from infusion_engine.media import dpx_file, exr_file
from infusion_engine.media.atomic import storage_error, write_bytes
from infusion_engine.media.box import Box
from infusion_engine.media.exr_header import read_exr_header
from infusion_engine.media.image_header import Format, FrameHeader, Part, PixelType, frame_bytes
from infusion_engine.media.image_io import Pixels, read_channels, read_whole, write_raster

_SPELLINGS = {"r": "R", "red": "R", "g": "G", "green": "G", "b": "B", "blue": "B"}
_SPELLINGS |= {"a": "A", "alpha": "A"}


class WriteMode(str, Enum):
    """What a written frame holds. Formats without layers are always merged."""

    LAYER = "layer"
    """The plate with the layer added."""
    FILL = "fill"
    """The layer's four channels alone, under the plate's windows and metadata."""
    MERGED = "merged"
    """The plate with the layer added and the fill composited into its own colour."""


@dataclass(frozen=True)
class Fill:
    """What replaces the plate in one frame."""

    box: Box
    """Where it lies, in the plate's absolute coordinates."""
    rgb: np.ndarray
    """(h, w, 3) float32 in plate values: scene-linear, or 0..1 of full scale for integer types."""
    matte: np.ndarray
    """(h, w) float32 in [0, 1], the matte as used; 1 = replace, 0 outside the hole."""


class PlateShot(Protocol):
    """The little of a shot that writing needs."""

    @property
    def part(self) -> int:
        """Index of the part that holds the plate's colour."""

    @property
    def colour(self) -> tuple[str, ...]:
        """The colour's three channel names, or the one of a luminance plate."""

    def header(self, frame: int) -> FrameHeader:
        """The header of that frame's file."""


@dataclass(frozen=True)
class _Window:
    """The fill laid over one frame's data window."""

    rgb: np.ndarray
    """(H, W, 3) float32."""
    matte: np.ndarray
    """(H, W) float32."""

    @property
    def hole(self) -> np.ndarray:
        """(H, W) bool, True where the plate is replaced."""
        return np.asarray(self.matte > 0)


def read_for_writing(shot: PlateShot, frame: int, mode: WriteMode) -> Pixels:
    """What writing a frame so decodes of its file: the colour for a lone fill, or everything.

    Whoever reads this of every frame first knows that none will be found damaged when written.

    Raises:
        FrameError: pixels that are needed are damaged.
    """
    header = shot.header(frame)
    if mode is not WriteMode.FILL:
        return read_whole(header)
    pixels = read_channels(header, part=shot.part, names=shot.colour)
    return {shot.part: {name: pixels[:, :, at] for at, name in enumerate(shot.colour)}}


def write_frame(
    shot: PlateShot,
    frame: int,
    *,
    fill: Fill | None,
    target: Path,
    layer: str,
    mode: WriteMode,
    further: Mapping[str, Fill | None] = MappingProxyType({}),
) -> None:
    """Writes `frame` to `target`, whole or not at all; every bit outside the hole is the plate's.

    `fill` None means an empty matte: the frame passes through (an EXR still gains the layer).
    `further` are the fills of more takes by their layers, for an EXR that is not merged.

    Raises:
        FrameError: the plate's file is damaged, or of a kind that cannot take the fill.
        StorageError: `target` cannot be written.
        UsageError: `target` is the plate's own file.
        ValueError: further takes cannot stand in such a file.
    """
    header = shot.header(frame)
    if _is_same_file(target, header.path):
        raise UsageError(
            f"{target} is the plate itself, which is never overwritten.",
            remedy="Choose another --output.",
        )
    part = header.parts[shot.part]
    if further and (header.format is not Format.EXR or mode is WriteMode.MERGED):
        raise ValueError(f"{target} holds one fill; {', '.join(further)} cannot be put beside it")
    over = _over_window(fill, part.data_window)
    if header.format is Format.EXR:
        layers = {layer: over}
        layers |= {name: _over_window(one, part.data_window) for name, one in further.items()}
        write_bytes(target, _exr_bytes(shot, frame, layers, mode=mode))
    elif header.format is Format.DPX:
        write_bytes(target, _dpx_bytes(header, over))
    elif fill is None and header.format is not Format.JPEG:
        write_bytes(target, frame_bytes(header.path))
    else:
        _write_raster(header, shot.colour, over, target)


def _is_same_file(target: Path, plate: Path) -> bool:
    try:
        return target.exists() and target.samefile(plate)
    except OSError as error:
        raise storage_error(target, error) from error


def layer_channels(
    header: FrameHeader, part: int, colour: tuple[str, ...], layer: str
) -> frozenset[tuple[int, str]]:
    """(part, channel) of all that the plate already holds of `layer` in the view of its colour.

    `infusion.R` and `infusion.red` are one channel to a compositor; so is `R` in a part that is
    named `infusion` (or `infusion.left`, which is how layers are split into parts).
    """
    home = header.parts[part]
    inner = _view(home, colour)
    fronts = [[layer, inner], [inner, layer]] if inner else []
    if not inner or inner == home.views[0]:
        fronts.append([layer])
    view = re.escape(home.view or "")
    own = re.compile(rf"{re.escape(layer)}([._]{view})?")
    found = set()
    for other in header.parts:
        if other.view != home.view:
            continue
        named = other.index != part and own.fullmatch(other.name) is not None
        for name in other.names:
            *front, last = name.split(".")
            if last.lower() in _SPELLINGS and (front in fronts or (named and not front)):
                found.add((other.index, name))
    return frozenset(found)


def _view(part: Part, colour: tuple[str, ...]) -> str:
    """The view of the colour among those that share its part; empty where views share none."""
    if not part.views:
        return ""
    *front, _last = colour[0].split(".")
    return next((view for view in front if view in part.views), part.views[0])


def _layer_name(part: Part, colour: tuple[str, ...], layer: str) -> str:
    """What stands before `.R`: views other than the first are named as the file's others are."""
    view = _view(part, colour)
    if not view or view == part.views[0]:
        return layer
    view_first = any(name.startswith(f"{view}.") and name.count(".") > 1 for name in part.names)
    return f"{view}.{layer}" if view_first else f"{layer}.{view}"


def _over_window(fill: Fill | None, window: Box) -> _Window:
    """The fill on the data window; what lies outside the window is dropped."""
    rgb = np.zeros((window.height, window.width, 3), np.float32)
    matte = np.zeros((window.height, window.width), np.float32)
    if fill is not None:
        inside = fill.box.intersection(window)
        if not inside.is_empty:
            rgb[inside.slices(window)] = fill.rgb[inside.slices(fill.box)]
            matte[inside.slices(window)] = fill.matte[inside.slices(fill.box)]
    return _Window(rgb, matte)


def _stored(values: np.ndarray, pixel_type: PixelType) -> np.ndarray:
    """Plate values in the plate's own type: finite halves, or integers over their full range."""
    dtype = pixel_type.dtype
    if pixel_type.is_float:
        stored = np.clip(values, -pixel_type.full_scale, pixel_type.full_scale)
    else:
        stored = np.rint(np.clip(values, 0, 1) * pixel_type.full_scale)
    return np.asarray(stored.astype(dtype))


def _merged(plate: np.ndarray, fill: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The fill over the plate, unpremultiplied, all (H, W) in plate values; float64.

    Where the plate is not a number there is nothing to blend with: the fill stands alone, as it
    does where the matte is 1.
    """
    fill, matte = fill.astype(np.float64), matte.astype(np.float64)
    with np.errstate(invalid="ignore"):  # signalling NaN
        below = plate.astype(np.float64)
    alone = (matte >= 1) | ~np.isfinite(below)
    return np.where(alone, fill, fill * matte + np.where(alone, 0, below) * (1 - matte))


def _fill_of(over: _Window, channel: int, channels: int) -> np.ndarray:
    """The fill of one colour channel; a luminance plate takes the mean of the three."""
    rgb = over.rgb
    return np.asarray(rgb.mean(axis=2) if channels == 1 else rgb[:, :, channel])


def _exr_bytes(
    shot: PlateShot, frame: int, layers: Mapping[str, _Window], *, mode: WriteMode
) -> bytes:
    header, colour = shot.header(frame), shot.colour
    part = header.parts[shot.part]
    pixel_type = part.channel(colour[0]).type
    if not pixel_type.is_float:
        raise FrameError(
            f"{header.path} stores its colour {colour[0]!r} as {pixel_type.value}; "
            "half or float was expected.",
            remedy="Write the plate's colour as half or float EXR and render that.",
        )
    exr = read_exr_header(header.path)
    plate = read_for_writing(shot, frame, mode)
    named: dict[str, np.ndarray] = {}
    old: frozenset[tuple[int, str]] = frozenset()
    for layer, over in layers.items():
        added = _layer_pixels(plate[part.index], colour, over, pixel_type)
        prefix = _layer_name(part, colour, layer)
        named |= {f"{prefix}.{name}": pixels for name, pixels in added.items()}
        old |= layer_channels(header, part.index, colour, layer)
    if mode is WriteMode.FILL:
        return exr_file.encoded_exr(exr, [exr_file.NewPart(part.index, named)])
    parts = []
    for index, channels in plate.items():
        kept = {name: p for name, p in channels.items() if (index, name) not in old}
        if index == part.index:
            if mode is WriteMode.MERGED:
                (over,) = layers.values()
                kept |= _merged_colour(channels, colour, over, pixel_type)
            kept |= named
        if kept:
            parts.append(exr_file.NewPart(index, kept))
    return exr_file.encoded_exr(exr, parts)


def _layer_pixels(
    plate: Mapping[str, np.ndarray], colour: tuple[str, ...], over: _Window, pixel_type: PixelType
) -> dict[str, np.ndarray]:
    """R, G, B (fill inside the hole, the plate's bits outside) and A, in the plate's type."""
    found = {}
    for channel, name in enumerate("RGB"):
        below = plate[colour[channel if len(colour) > 1 else 0]]
        found[name] = np.where(over.hole, _stored(over.rgb[:, :, channel], pixel_type), below)
    alpha = over.matte.astype(pixel_type.dtype)
    # A faint matte must not round to 0, which would say "outside" of a pixel that was replaced.
    least = np.nextafter(np.zeros((), alpha.dtype), np.ones((), alpha.dtype))
    found["A"] = np.where(over.hole, np.maximum(alpha, least), alpha)
    return found


def _merged_colour(
    plate: Mapping[str, np.ndarray], colour: tuple[str, ...], over: _Window, pixel_type: PixelType
) -> dict[str, np.ndarray]:
    found = {}
    for channel, name in enumerate(colour):
        blend = _merged(plate[name], _fill_of(over, channel, len(colour)), over.matte)
        found[name] = np.where(over.hole, _stored(blend, pixel_type), plate[name])
    return found


def _dpx_bytes(header: FrameHeader, over: _Window) -> bytes:
    dpx = dpx_file.read_dpx_header(header.path)
    codes = dpx_file.read_dpx_codes(header.path, dpx)
    full = (1 << dpx.bits) - 1
    colour = [name for name in dpx.names if name != "A"]
    merged = codes.copy()
    for channel, name in enumerate(dpx.names):
        if name == "A":
            continue
        fill = _fill_of(over, channel, len(colour))
        blend = _merged(codes[:, :, channel] / full, fill, over.matte)
        merged[:, :, channel] = np.rint(np.clip(blend, 0, 1) * full)
    return dpx_file.with_codes(header.path, dpx, merged, over.hole)


def _write_raster(
    header: FrameHeader, colour: tuple[str, ...], over: _Window, target: Path
) -> None:
    part = header.parts[0]
    pixel_type = part.channels[0].type
    pixels = read_channels(header, part=0, names=part.names)
    scale = 1.0 if pixel_type.is_float else pixel_type.full_scale
    for channel, name in enumerate(colour):
        at = part.names.index(name)
        below = pixels[:, :, at]
        with np.errstate(invalid="ignore"):
            blend = _merged(below / scale, _fill_of(over, channel, len(colour)), over.matte)
        pixels[:, :, at] = np.where(over.hole, _stored(blend, pixel_type), below)
    write_raster(header, pixels, target)
