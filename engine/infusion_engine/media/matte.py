"""The matte as used: where it comes from, and how it is inverted, grown and feathered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from infusion_engine.errors import FrameError, MatteError, UsageError
from infusion_engine.media.box import Box
from infusion_engine.media.channels import (
    Found,
    channel_names,
    choose_view,
    find_channel,
    views_of,
)
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.image_io import (
    FrameHeader,
    Pixels,
    PixelType,
    read_channels,
    read_header,
)
from infusion_engine.media.sequence import FileSequence, find_sequence, listed

DEFAULT_CHANNEL = "A"
_FULL_SCALE = {PixelType.UINT8: 255.0, PixelType.UINT16: 65535.0}
_FEATHER_LEVELS = 8


@dataclass(frozen=True)
class MatteShaping:
    """What is done to a matte before it is used, in this order."""

    invert: bool = False
    """True where 0 means replace in the files."""
    grow: float = 0.0
    """Pixels by which the matte is grown outwards; soft values keep their softness."""
    feather: float = 0.0
    """Pixels over which the grown matte then fades out, outwards."""

    def __post_init__(self) -> None:
        """Raises: UsageError for a distance below zero, which would uncover what is replaced."""
        for done, pixels in (("grown", self.grow), ("feathered", self.feather)):
            if not (math.isfinite(pixels) and pixels >= 0):
                raise UsageError(
                    f"The matte cannot be {done} by {pixels:g} pixels; expected 0 or more.",
                    remedy="Shrink the matte where it is made: a hole that is too small leaves "
                    "a rim of what was to be removed.",
                )


@dataclass(frozen=True)
class MatteSource:
    """Where the matte is read from: its own files, or a channel of the plate."""

    sequence: FileSequence
    """The files: the plate's own where the matte is one of its channels."""
    found: Found
    """Part and channel."""
    pixel_type: PixelType
    """Type of the stored values."""
    shaping: MatteShaping
    """What is done to the matte before it is used."""
    headers: Mapping[int, FrameHeader]
    """Header of each frame read; a matte that holds for every frame has its only one for each."""

    @property
    def channel(self) -> str:
        """Name of the channel, as the file spells it."""
        return self.found.names[0]

    def read(
        self, frame: int, *, canvas: Box, display_window: Box, already: Pixels | None = None
    ) -> np.ndarray:
        """The matte as used on `canvas`, for a plate with that display window.

        Outside the stored pixels a matte is 0, as everywhere in compositing, so that inverting
        makes it 1 there; but nothing is replaced outside both the picture and the stored pixels,
        or an inverted matte would ask for all overscan. Both pictures' corners are laid together.
        `already` is what was read of the matte's file before, perhaps without the matte.

        Returns:
            float32 (H, W) in [0, 1]; 1 = replace, hole = values above 0.

        Raises:
            FrameError: the pixels are damaged.
        """
        header = self.headers[frame]
        part = header.parts[self.found.part]
        stored = (already or {}).get(part.index, {}).get(self.channel)
        if stored is None:
            stored = read_channels(header, part=part.index, names=self.found.names)[:, :, 0]
        window = _moved(part.data_window, part.display_window, display_window)
        inside = window.intersection(canvas)
        matte = np.zeros((canvas.height, canvas.width), np.float32)
        unknown = np.zeros(matte.shape, np.bool_)
        if not inside.is_empty:
            values = stored[inside.slices(window)]
            unknown[inside.slices(canvas)] = np.isnan(values)
            matte[inside.slices(canvas)] = normalised(values, self.pixel_type)
        if self.shaping.invert:
            kept = matte
            matte = np.zeros_like(kept)
            for box in (inside, display_window.intersection(canvas)):
                if not box.is_empty:
                    matte[box.slices(canvas)] = 1.0 - kept[box.slices(canvas)]
        matte[unknown] = 1.0  # nobody knows whether it may be kept, so nothing may learn from it
        return shaped(matte, grow=self.shaping.grow, feather=self.shaping.feather)


def open_matte(
    text: str | None,
    channel: str | None,
    shaping: MatteShaping,
    *,
    plate: FileSequence,
    headers: Mapping[int, FrameHeader],
    colour: Found,
    view: str | None,
    frames: FrameRange,
) -> MatteSource:
    """The matte's own files (`text`), or without them a channel of the plate, for `frames`.

    `headers` are the plate's, alike in everything but their data windows. The channel is `channel`;
    by default `A`, else in files of its own the only channel, else `R`.

    Raises:
        UsageError: no such channel, or neither a matte nor a plate with an `A`.
        MatteError: frames are missing, or the picture's size is not the plate's.
        SequenceError: nothing matches `text`.
        FrameError: a file is damaged or refused by name.
    """
    if text is None:
        first = headers[frames.first]
        found = _plate_channel(first, view, channel, colour)
        return _source(plate, found, shaping, headers, first)
    sequence = find_sequence(text)
    own = _own_headers(sequence, plate, frames)
    first = own[frames.first]
    views = views_of(first)
    if len(views) > 1 and view not in views:
        raise MatteError(
            f"The matte '{first.path}' holds the views {', '.join(views)}, and the plate "
            + (f"is read in the view '{view}'." if view else "has none."),
            remedy="Give a matte for the plate's own view.",
        )
    matte_view = view if view in views else choose_view(first, None)
    found = _own_channel(first, matte_view, channel)
    source = _source(sequence, found, shaping, own, first)
    _check_alike(source, headers, colour, frames)
    return source


def normalised(values: np.ndarray, pixel_type: PixelType) -> np.ndarray:
    """Stored matte values as float32 in [0, 1]: integers over their full scale, floats clipped.

    NaN stays NaN in here for the caller to decide.
    """
    scale = _FULL_SCALE.get(pixel_type)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        found = values.astype(np.float32)
    return np.clip(found if scale is None else found / np.float32(scale), 0.0, 1.0)


def shaped(matte: np.ndarray, *, grow: float, feather: float) -> np.ndarray:
    """A matte float32 (H, W) in [0, 1], grown and then feathered outwards; see MatteShaping.

    Growing takes the largest value within `grow` pixels (Euclidean), so an edge keeps its softness.
    Feathering adds a linear fade that reaches 0 one pixel beyond `feather`; no value gets smaller.
    """
    if grow >= 1.0:  # no neighbour is nearer
        matte = _within_reach(matte, math.floor(grow), lambda crop: _grown(crop, grow))
    if feather > 0.0:
        matte = _within_reach(matte, math.ceil(feather), lambda crop: _feathered(crop, feather))
    return matte


def _within_reach(
    matte: np.ndarray, reach: int, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """`change` applied to the matte's own neighbourhood: everything farther away stays 0."""
    canvas = Box(0, 0, matte.shape[1], matte.shape[0])
    box = Box.around(matte > 0, canvas).grown(reach).intersection(canvas)
    if not matte.any():
        return matte
    result = np.zeros_like(matte)
    result[box.slices(canvas)] = change(matte[box.slices(canvas)])
    return result


def _grown(matte: np.ndarray, pixels: float) -> np.ndarray:
    """Grey dilation by a disc, as the maximum over its rows, each a running maximum."""
    from scipy.ndimage import maximum_filter1d  # noqa: PLC0415 - a tenth of a second, seldom needed

    height, width = matte.shape
    result = np.zeros_like(matte)
    half, row = -1, matte
    for offset in range(min(math.floor(pixels), height - 1) + 1):
        reach = min(math.floor(math.sqrt(pixels * pixels - offset * offset)), width)
        if reach != half:
            half = reach
            row = maximum_filter1d(matte, 2 * half + 1, axis=1, mode="constant", cval=0.0)
        np.maximum(result[offset:], row[: height - offset], out=result[offset:])
        np.maximum(result[: height - offset], row[offset:], out=result[: height - offset])
    return result


def _feathered(matte: np.ndarray, pixels: float) -> np.ndarray:
    """The largest faded value from anywhere, taken over a few level sets of a soft matte.

    Starting at the outermost pixel alone would fade a soft edge from its faintest value.
    """
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 - as above

    values = np.unique(matte[matte > 0])
    if len(values) > _FEATHER_LEVELS:
        values = values[-1] * np.arange(1, _FEATHER_LEVELS + 1, dtype=np.float32) / _FEATHER_LEVELS
    result = matte.copy()
    for level in values:
        distance, nearest = distance_transform_edt(matte < level, return_indices=True)
        fade = np.maximum(1.0 - distance / (pixels + 1.0), 0.0).astype(np.float32)
        np.maximum(result, matte[tuple(nearest)] * fade, out=result)
    return result


def _moved(box: Box, corner: Box, onto: Box) -> Box:
    """`box` moved as `corner`'s corner must move to lie on `onto`'s."""
    dx, dy = onto.x0 - corner.x0, onto.y0 - corner.y0
    return Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)


def _plate_channel(
    header: FrameHeader, view: str | None, channel: str | None, colour: Found
) -> Found:
    """The plate's channel of that name; by default its A, or the A of its colour's layer."""
    wanted = [channel] if channel is not None else [DEFAULT_CHANNEL]
    if channel is None and "." in colour.names[0]:
        layer = colour.names[0].rpartition(".")[0]
        wanted.append(f"{layer}.{DEFAULT_CHANNEL}")
    for name in wanted:
        found = find_channel(header, view, name, first_part=colour.part)
        if found is not None:
            return found
    asked = (
        f"no channel '{channel}'" if channel else f"no channel '{DEFAULT_CHANNEL}' to replace by"
    )
    raise UsageError(
        f"No matte was given, and the plate '{header.path}' has {asked}; "
        f"its channels are {', '.join(channel_names(header, view))}.",
        remedy="Give the matte's files with --matte, or one of these with --matte-channel.",
    )


def _own_channel(header: FrameHeader, view: str | None, channel: str | None) -> Found:
    """The channel of that name in the matte's own file; by default A, the only one, or R."""
    names = channel_names(header, view)
    wanted = [channel] if channel is not None else [DEFAULT_CHANNEL]
    if channel is None:
        wanted += names if len(names) == 1 else ["R"]
    for name in wanted:
        found = find_channel(header, view, name)
        if found is not None:
            return found
    raise UsageError(
        f"The matte '{header.path}' has no channel "
        + (f"'{channel}'" if channel else "'A' or 'R'")
        + f"; its channels are {', '.join(names)}.",
        remedy="Choose one of these with --matte-channel.",
    )


def _own_headers(
    sequence: FileSequence, plate: FileSequence, frames: FrameRange
) -> dict[int, FrameHeader]:
    """The matte's header for each frame; one lone file, or a single frame, holds for all."""
    if len(sequence.frames) <= 1:
        only = read_header(sequence.path(sequence.frames[0] if sequence.frames else frames.first))
        return dict.fromkeys(frames, only)
    there = set(sequence.frames)
    missing = [frame for frame in frames if frame not in there]
    if missing:
        raise MatteError(
            f"The matte '{sequence.folder / sequence.pattern}' lacks frame {listed(missing)} "
            f"('{sequence.path(missing[0]).name}'): it has {sequence.frames[0]}-"
            f"{sequence.frames[-1]}, and {frames} of '{plate.pattern}' are read.",
            remedy="Render the missing matte frames, or narrow --frames and --handles.",
        )
    return {frame: read_header(sequence.path(frame)) for frame in frames}


def _source(
    sequence: FileSequence,
    found: Found,
    shaping: MatteShaping,
    headers: Mapping[int, FrameHeader],
    first: FrameHeader,
) -> MatteSource:
    pixel_type = first.parts[found.part].channel(found.names[0]).type
    if pixel_type is PixelType.UINT32:
        raise FrameError(
            f"The matte's channel '{found.names[0]}' in '{first.path}' holds 32-bit integers, "
            "which are numbers of objects and no matte from 0 to 1.",
            remedy="Make a matte of the objects that are meant.",
        )
    return MatteSource(sequence, found, pixel_type, shaping, headers)


def _check_alike(
    matte: MatteSource, plate: Mapping[int, FrameHeader], colour: Found, frames: FrameRange
) -> None:
    """Raises MatteError where a matte frame is not the plate's size or not like the first."""
    for frame in frames:
        header = matte.headers[frame]
        part = header.parts[matte.found.part] if matte.found.part < len(header.parts) else None
        types = {} if part is None else {channel.name: channel.type for channel in part.channels}
        if part is None or types.get(matte.channel) is not matte.pixel_type:
            raise MatteError(
                f"The matte '{header.path}' has no {matte.pixel_type.value} channel "
                f"'{matte.channel}' as '{matte.headers[frames.first].path}' has.",
                remedy="Give a matte whose frames are alike.",
            )
        window = part.display_window
        size = plate[frame].parts[colour.part].display_window
        if (window.width, window.height) != (size.width, size.height):
            raise MatteError(
                f"The matte '{header.path}' is {window.width}x{window.height}, and the plate "
                f"'{plate[frame].path}' is {size.width}x{size.height}.",
                remedy="Give a matte of the plate's size.",
            )
