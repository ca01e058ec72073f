"""Reads a result, the truth and the matte frame by frame and gathers the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infusion_engine.errors import FrameError, InputError, SequenceError
from infusion_engine.evaluate.figures import Figures, Tally, largest_difference
from infusion_engine.media.channels import Found, choose_view, find_channel, find_colour
from infusion_engine.media.display import to_display
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.image_io import FrameHeader, read_channels, read_header
from infusion_engine.media.sequence import FileSequence, find_sequence
from infusion_engine.media.shot import Shot, open_shot
from infusion_node.wire.job import RenderJob


@dataclass(frozen=True)
class Comparison:
    """What is compared with what; paths are folders, patterns or one frame's path."""

    result: str
    """The frames that were rendered."""
    truth: str
    """The same frames as they should be."""
    matte: str | None
    """What was replaced; None takes a channel of the truth."""
    layer: str | None = None
    """Layer of the result that holds the fill; None takes its own R, G, B."""
    matte_channel: str | None = None
    """Channel of the matte; None means `A`, else the only channel, else `R`."""
    matte_invert: bool = False
    """True when 0 means replace."""
    frames: str | None = None
    """Inclusive frame range; None takes all of the result."""
    view: str | None = None
    """View of stereo or multi-view files."""


def compare(comparison: Comparison) -> Figures:
    """The figures of the result's frames against the truth's.

    Raises:
        InputError: frames are missing, sizes or kinds of pixels differ, or the layer is not there.
        UsageError: the frame range or the view makes no sense.
    """
    result = find_sequence(comparison.result)
    frames = _frames(comparison, result)
    truth = open_shot(
        RenderJob(
            plate=comparison.truth,
            output=comparison.result,
            matte=comparison.matte,
            matte_channel=comparison.matte_channel,
            matte_invert=comparison.matte_invert,
            frames=None if frames is None else str(frames),
            view=comparison.view,
        )
    )
    tally = Tally()
    for frame in truth.frames:
        hole = truth.read_matte(frame) > 0
        true = truth.read_plate(frame).pixels
        filled = _result_pixels(result, frame, truth, comparison)
        tally.add(
            to_display(filled, truth.transfer),
            to_display(true, truth.transfer),
            hole,
            outside=largest_difference(filled, true, ~hole),
        )
    return tally.figures()


def _frames(comparison: Comparison, result: FileSequence) -> FrameRange | None:
    """The frames to compare; None where the result is a lone file without a number.

    Raises:
        SequenceError: the result lacks one of them.
    """
    if result.is_still:
        return None if comparison.frames is None else FrameRange.parse(comparison.frames)
    there = FrameRange(result.frames[0], result.frames[-1])
    frames = there if comparison.frames is None else FrameRange.parse(comparison.frames)
    missing = [frame for frame in frames if frame not in set(result.frames)]
    if missing:
        raise SequenceError(
            f"{result.path(missing[0])} is missing: frames {frames} of the result were expected.",
            remedy="Render it, or choose other frames with --frames.",
        )
    return frames


def _result_pixels(
    result: FileSequence, frame: int, truth: Shot, comparison: Comparison
) -> np.ndarray:
    """(H, W, 3) of the result on the truth's canvas, in the result's own type.

    Raises:
        FrameError: the file is damaged, or holds another picture or kind of pixels.
        InputError: the layer is not in it.
    """
    header = read_header(result.path(frame))
    found = _colour(header, comparison)
    part = header.parts[found.part]
    window = truth.header(frame).parts[truth.part].data_window
    if part.display_window != truth.display_window or window.union(part.data_window) != (
        part.data_window
    ):
        raise FrameError(
            f"{header.path} is {part.display_window} with pixels in {part.data_window}; the truth "
            f"is {truth.display_window} with pixels in {window}.",
            remedy="Compare frames of one size.",
        )
    stored = read_channels(header, part=found.part, names=found.names)
    if stored.dtype.kind != truth.pixel_type.dtype.kind:
        raise FrameError(
            f"{header.path} stores {stored.dtype} and the truth {truth.pixel_type.value}: "
            "scene-linear and display-referred values cannot be compared.",
            remedy="Compare frames of one kind.",
        )
    pixels = np.zeros((truth.canvas.height, truth.canvas.width, 3), stored.dtype)
    inside = part.data_window.intersection(truth.canvas)
    pixels[inside.slices(truth.canvas)] = stored[inside.slices(part.data_window)]
    return pixels


def _colour(header: FrameHeader, comparison: Comparison) -> Found:
    """Part and channels of the fill."""
    view = choose_view(header, comparison.view)
    if comparison.layer is None:
        return find_colour(header, view)
    found = [find_channel(header, view, f"{comparison.layer}.{c}") for c in "RGB"]
    parts = {channel.part for channel in found if channel is not None}
    names = [name for channel in found if channel is not None for name in channel.names]
    if None in found or len(parts) != 1:
        held = ", ".join(name for part in header.parts for name in part.names)
        raise InputError(
            f"{header.path} has no layer '{comparison.layer}' (its channels: {held}).",
            remedy="Name the layer that was rendered, or leave --layer out for the file's own RGB.",
        )
    return Found(parts.pop(), tuple(names))
