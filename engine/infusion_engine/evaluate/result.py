"""The frames of a result, read onto the truth's canvas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infusion_engine.errors import FrameError, InputError, SequenceError
from infusion_engine.media.channels import Found, choose_view, find_channel, find_colour
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.image_io import FrameHeader, read_channels, read_header
from infusion_engine.media.sequence import FileSequence
from infusion_engine.media.shot import Shot


@dataclass(frozen=True)
class Result:
    """A rendered sequence and where in its files the fill is."""

    files: FileSequence
    """The frames that were rendered."""
    layer: str | None
    """Layer that holds the fill; None takes the files' own R, G, B."""
    view: str | None
    """View of stereo or multi-view files."""

    def frames(self, wanted: str | None) -> FrameRange | None:
        """The frames to compare, all by default; None where the result is a lone file.

        Raises:
            SequenceError: the result lacks one of them.
            UsageError: `wanted` is no frame range.
        """
        if self.files.is_still:
            return None if wanted is None else FrameRange.parse(wanted)
        there = FrameRange(self.files.frames[0], self.files.frames[-1])
        frames = there if wanted is None else FrameRange.parse(wanted)
        self.check_holds(frames)
        return frames

    def check_holds(self, frames: FrameRange) -> None:
        """See that every one of `frames` is there; a lone file is its own answer.

        Raises:
            SequenceError: one is missing.
        """
        missing = [] if self.files.is_still else sorted(set(frames) - set(self.files.frames))
        if missing:
            raise SequenceError(
                f"{self.files.path(missing[0])} is missing: frames {frames} of the result were "
                "expected.",
                remedy="Render it, or choose other frames with --frames.",
            )

    def read(self, frame: int, truth: Shot) -> np.ndarray:
        """(H, W, 3) of one frame on the truth's canvas, in the result's own type.

        Raises:
            FrameError: the file is damaged, or holds another picture or kind of pixels.
            InputError: the layer is not in it.
        """
        header = read_header(self.files.path(frame))
        found = self._colour(header)
        part = header.parts[found.part]
        window = truth.header(frame).parts[truth.part].data_window
        if part.display_window != truth.display_window or window.union(part.data_window) != (
            part.data_window
        ):
            raise FrameError(
                f"{header.path} is {part.display_window} with pixels in {part.data_window}; the "
                f"truth is {truth.display_window} with pixels in {window}.",
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

    def _colour(self, header: FrameHeader) -> Found:
        """Part and channels of the fill."""
        view = choose_view(header, self.view)
        if self.layer is None:
            return find_colour(header, view)
        found = [find_channel(header, view, f"{self.layer}.{c}") for c in "RGB"]
        parts = {channel.part for channel in found if channel is not None}
        names = [name for channel in found if channel is not None for name in channel.names]
        if None in found or len(parts) != 1:
            held = ", ".join(name for part in header.parts for name in part.names)
            raise InputError(
                f"{header.path} has no layer '{self.layer}' (its channels: {held}).",
                remedy="Name the layer that was rendered, or leave --layer out for the file's own "
                "RGB.",
            )
        return Found(parts.pop(), tuple(names))
