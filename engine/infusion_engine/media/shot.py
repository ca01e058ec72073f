"""The shot: a plate and its matte over a frame range, checked by their headers, read as streams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from infusion_engine.errors import FrameError, MatteError, SequenceError, UsageError
from infusion_engine.media.box import Box
from infusion_engine.media.channels import Found, choose_view, find_colour, views_of
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.image_io import (
    FrameHeader,
    Pixels,
    PixelType,
    read_channels,
    read_header,
)
from infusion_engine.media.layer import layer_channels
from infusion_engine.media.matte import MatteShaping, MatteSource, open_matte
from infusion_engine.media.sequence import STILL_FRAME, FileSequence, find_sequence, listed
from infusion_node.wire.job import RenderJob

_LAYER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MAIN_LAYERS = ("rgb", "rgba", "alpha")  # names by which hosts call the plate's own channels


class Transfer(str, Enum):
    """What the plate's numbers mean."""

    SCENE_LINEAR = "scene_linear"
    """Float pixels: proportional to light, below 0 and far above 1 alike."""
    DISPLAY = "display"
    """Integer pixels: log or display-referred, from 0 to the type's maximum."""


@dataclass(frozen=True, eq=False)
class PlateFrame:
    """The colour of one frame on the shot's canvas."""

    pixels: np.ndarray
    """(H, W, 3) in the plate's own type, bit for bit; 0 outside the frame's data window; a
    luminance plate has its one channel three times."""
    valid: np.ndarray
    """bool (H, W): False outside the data window and where a channel is NaN or infinite."""


@dataclass(frozen=True)
class Shot:
    """One plate, its matte and the frames to be worked on; nothing of a frame's pixels is kept."""

    plate: FileSequence
    """The plate's files."""
    view: str | None
    """View that is read; None for a plate without views."""
    part: int
    """Index of the part that holds the plate's colour, in that view."""
    colour: tuple[str, ...]
    """The three channels as the file spells them, or the one of a luminance plate."""
    pixel_type: PixelType
    """Type of the colour's values."""
    display_window: Box
    """The picture, the same in every frame."""
    canvas: Box
    """Union of the data windows of `frames_read`."""
    frames: FrameRange
    """Frames to write."""
    frames_read: FrameRange
    """Frames to read: with the handles that exist."""
    matte: MatteSource
    """Where the matte comes from."""
    headers: Mapping[int, FrameHeader]
    """Header of each frame read."""
    notes: tuple[str, ...]
    """Sentences about this shot that a user should be told, such as handles that do not exist."""

    @property
    def transfer(self) -> Transfer:
        """What the plate's numbers mean."""
        return Transfer.SCENE_LINEAR if self.pixel_type.is_float else Transfer.DISPLAY

    def header(self, frame: int) -> FrameHeader:
        """What the file of a frame read says about itself."""
        return self.headers[frame]

    def read_plate(self, frame: int, already: Pixels | None = None) -> PlateFrame:
        """The colour of a frame read, on the canvas.

        `already` is what was read of the plate's file before, the colour among it.

        Raises:
            FrameError: the pixels are damaged.
        """
        header = self.headers[frame]
        window = header.parts[self.part].data_window
        if already is None:
            stored = read_channels(header, part=self.part, names=self.colour)
        else:
            stored = np.stack([already[self.part][name] for name in self.colour], axis=2)
        pixels = np.zeros((self.canvas.height, self.canvas.width, 3), stored.dtype)
        valid = np.zeros(pixels.shape[:2], np.bool_)
        place = window.slices(self.canvas)
        pixels[place] = stored  # a luminance is broadcast
        valid[place] = np.isfinite(stored).all(axis=2) if self.pixel_type.is_float else True
        return PlateFrame(pixels, valid)

    def read_matte(self, frame: int, already: Pixels | None = None) -> np.ndarray:
        """The matte as used for a frame read: float32 (H, W) in [0, 1] on the canvas, 1 = replace.

        `already` is what was read of the plate's file before; a matte that lies in it is not read
        again.

        Raises:
            FrameError: the matte's pixels are damaged.
        """
        if self.matte.headers[frame] is not self.headers[frame]:  # a file of its own
            already = None
        return self.matte.read(
            frame, canvas=self.canvas, display_window=self.display_window, already=already
        )


def open_shot(job: RenderJob) -> Shot:
    """The job's plate and matte, with every check that headers allow; no pixel is decoded.

    Raises:
        UsageError: the job asks for something impossible.
        SequenceError: frames are missing, or the plate's frames are not alike.
        MatteError: the matte does not fit the plate.
        FrameError: a file is damaged, or of a kind that is refused by name.
    """
    check_layer_name(job.layer)
    shaping = MatteShaping(job.matte_invert, job.matte_grow, job.matte_feather)
    asked = None if job.frames is None else FrameRange.parse(job.frames)
    if job.handles < 0:
        raise UsageError(
            f"The shot cannot have {job.handles} handles; expected 0 or more frames.",
            remedy="Give the number of frames to read on each side.",
        )
    plate = find_sequence(job.plate)
    frames, frames_read, notes = _frames(plate, asked, job.handles)
    headers = {frame: read_header(plate.path(frame)) for frame in frames_read}
    first = headers[frames_read.first]
    view = choose_view(first, job.view)
    _check_alike(headers)
    found = find_colour(first, view)
    part = first.parts[found.part]
    matte = open_matte(
        job.matte,
        job.matte_channel,
        shaping,
        plate=plate,
        headers=headers,
        colour=found,
        view=view,
        frames=frames_read,
    )
    canvas = part.data_window
    for header in headers.values():
        canvas = canvas.union(header.parts[found.part].data_window)
    shot = Shot(
        plate=plate,
        view=view,
        part=found.part,
        colour=found.names,
        pixel_type=_colour_type(first, found),
        display_window=part.display_window,
        canvas=canvas,
        frames=frames,
        frames_read=frames_read,
        matte=matte,
        headers=headers,
        notes=notes,
    )
    check_layer_is_free(shot, job.layer)
    return shot


def check_layer_name(layer: str) -> None:
    """See to it that `layer` is a name that every host reads as a layer of its own.

    Raises:
        UsageError: it is empty, begins with a digit, holds other characters than letters, digits
            and underscores, or names the plate's own channels.
    """
    if not _LAYER_NAME.fullmatch(layer):
        raise UsageError(
            f"'{layer}' cannot be a layer's name: expected letters, digits and underscores, "
            "not beginning with a digit (Nuke drops leading digits).",
            remedy="Choose a name such as infusion or infusion_2.",
        )
    if layer.lower() in _MAIN_LAYERS:
        raise UsageError(
            f"'{layer}' cannot be the layer's name: hosts call the plate's own channels so.",
            remedy="Choose a name such as infusion.",
        )


def holds_layer(shot: Shot, layer: str) -> bool:
    """True when the plate already holds that layer, in any spelling, which is then replaced."""
    return bool(_held(shot, layer))


def check_something_known(shot: Shot, known_pixels: int) -> None:
    """See to it that the matte leaves something to learn from.

    `known_pixels` counts, over all frames read, valid pixels of the plate outside the hole.

    Raises:
        MatteError: there is not one.
    """
    if known_pixels > 0:
        return
    matte = shot.matte
    raise MatteError(
        f"The matte '{matte.sequence.folder / matte.sequence.pattern}' (channel {matte.channel}) "
        f"covers every usable pixel of every frame {shot.frames_read}: "
        "nothing is left to learn from.",
        remedy="1 means replace: turn the matte round with --matte-invert, or choose another "
        "channel with --matte-channel.",
    )


def _frames(
    plate: FileSequence, asked: FrameRange | None, handles: int
) -> tuple[FrameRange, FrameRange, tuple[str, ...]]:
    """(frames to write, frames to read, what to tell about the handles)."""
    if plate.is_still:
        frames = asked or FrameRange(STILL_FRAME, STILL_FRAME)
        if len(frames) > 1:
            raise SequenceError(
                f"The plate '{plate.path(frames.first)}' is one file without a frame number, "
                f"and the frames {frames} were asked for.",
                remedy="Give a sequence, or a single frame in --frames.",
            )
        there = FrameRange(frames.first, frames.first)
    else:
        there = FrameRange(plate.frames[0], plate.frames[-1])
        frames = asked or there
    wanted = frames.grown(handles)
    first = min(frames.first, max(wanted.first, there.first))
    last = max(frames.last, min(wanted.last, there.last))
    frames_read = FrameRange(first, last)
    if not plate.is_still:
        _check_complete(plate, frames, frames_read)
    if frames_read == wanted:
        return frames, frames_read, ()
    before, after = frames.first - first, last - frames.last
    note = (
        f"Of {handles} handles on each side, {before} before and {after} after exist: "
        f"the frames {frames_read} are read."
    )
    return frames, frames_read, (note,)


def _check_complete(plate: FileSequence, frames: FrameRange, frames_read: FrameRange) -> None:
    """Raises SequenceError with the names of the files that are missing."""
    there = set(plate.frames)
    missing = [frame for frame in frames_read if frame not in there]
    if not missing:
        return
    files = listed([plate.path(frame).name for frame in missing])
    which = f"Frame {missing[0]} is" if len(missing) == 1 else f"Frames {listed(missing)} are"
    raise SequenceError(
        f"{which} missing in '{plate.folder}': looked for {files}. The frames {frames_read} are "
        f"needed"
        + (" (with handles)" if frames != frames_read else "")
        + f", and '{plate.pattern}' has {len(plate.frames)} from {plate.frames[0]} to "
        f"{plate.frames[-1]}.",
        remedy="Restore the missing frames, or narrow --frames.",
    )


def _check_alike(headers: Mapping[int, FrameHeader]) -> None:
    """Raises SequenceError at the first frame that is not made like the first one.

    Data windows may differ; formats, parts, views, display windows, channels and types may not.
    """
    first, *others = headers.values()
    expected = _makeup(first)
    for header in others:
        found = _makeup(header)
        if found == expected:
            continue
        what = next(key for key in [*expected, *found] if expected.get(key) != found.get(key))
        raise SequenceError(
            f"The plate's frames are not alike: {what} is {found.get(what, 'absent')} in "
            f"'{header.path}', and {expected.get(what, 'absent')} in '{first.path}'.",
            remedy="Give a plate whose frames are alike, or narrow --frames to those that are.",
        )


def _makeup(header: FrameHeader) -> dict[str, str]:
    """What must be the same in every frame, in the words of a message."""
    makeup = {"the format": header.format.value, "the number of parts": str(len(header.parts))}
    for part in header.parts:
        where = f" of part {part.index}" if len(header.parts) > 1 else ""
        makeup[f"the display window{where}"] = str(part.display_window)
        makeup[f"the channel set{where}"] = ", ".join(part.names)
        types = ", ".join(f"{channel.name} {channel.type.value}" for channel in part.channels)
        makeup[f"the pixel type{where}"] = f"{types} ({part.bits} bits)"
        makeup[f"the view{where}"] = ", ".join(filter(None, (part.view, *part.views))) or "none"
    return makeup


def _colour_type(header: FrameHeader, colour: Found) -> PixelType:
    """The one type of the colour's channels.

    Raises:
        FrameError: they are of several types, or integers that cannot be a picture.
    """
    part = header.parts[colour.part]
    types = {name: part.channel(name).type for name in colour.names}
    if len(set(types.values())) > 1:
        shown = ", ".join(f"{name} is {kind.value}" for name, kind in types.items())
        raise FrameError(
            f"The plate's colour in '{header.path}' has several pixel types: {shown}.",
            remedy="Write R, G and B in one type.",
        )
    kind = types[colour.names[0]]
    if kind is PixelType.UINT32:
        raise FrameError(
            f"The plate's colour in '{header.path}' is stored as 32-bit integers (uint32), "
            "which is not read as a picture.",
            remedy="Write the plate as half or float.",
        )
    return kind


def check_layer_is_free(shot: Shot, layer: str) -> None:
    """See to it that writing the layer replaces nothing that the plate is made of.

    Raises:
        UsageError: it would replace the colour or the matte, or has the name of a view.
    """
    first = shot.headers[shot.frames_read.first]
    if layer in views_of(first):
        raise UsageError(
            f"'{layer}' cannot be the layer's name: it is a view of '{first.path}'.",
            remedy="Choose a name such as infusion.",
        )
    used = {(shot.part, name): "colour" for name in shot.colour}
    if shot.matte.sequence == shot.plate:
        used[shot.matte.found.part, shot.matte.channel] = "matte"
    for part, name in sorted(_held(shot, layer) & used.keys()):
        raise UsageError(
            f"The layer '{layer}' is where the plate's {used[part, name]} lies "
            f"({name} in '{first.path}').",
            remedy="Choose another name with --layer.",
        )


def _held(shot: Shot, layer: str) -> frozenset[tuple[int, str]]:
    """(part, channel) of all that the plate already holds of `layer`."""
    first = shot.headers[shot.frames_read.first]
    return layer_channels(first, shot.part, shot.colour, layer)
