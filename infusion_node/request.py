"""Request: what one press of the button asks for, from the panel and what is connected."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional, Tuple

from infusion_node.errors import SetupError
from infusion_node.frame_range import FrameRange
from infusion_node.host import Clip, Footage, Host
from infusion_node.job_folder import JobFolder, RunFolder
from infusion_node.panel import job_fields
from infusion_node.serialise import files_of, serialised
from infusion_node.wire.job import RenderJob


@dataclass(frozen=True)
class Request:
    """Everything that is decided before a frame is written."""

    plate: Footage
    """The frames to repair."""
    matte: Optional[Footage]
    """What to replace; None takes a channel of the plate."""
    frames: FrameRange
    """Frames that the result will have."""
    fields: Mapping[str, Any]
    """The fields of the job that the panel sets, without the frame range."""

    @property
    def to_write(self) -> Tuple[Tuple[Clip, Footage, FrameRange], ...]:
        """Inputs that are no files yet, each with the frames of it that are needed.

        Raises:
            SetupError: an input has not got them.
        """
        handles = int(self.fields.get("handles", 0))
        plate = self.plate
        wanted = self.frames.with_handles(handles, first=plate.first, last=plate.last)
        inputs = ((Clip.PLATE, self.plate), (Clip.MATTE, self.matte))
        return tuple(
            (clip, footage, _within(wanted, clip, footage))
            for clip, footage in inputs
            if footage is not None and footage.files is None
        )

    def job(self, folder: JobFolder, run: RunFolder) -> RenderJob:
        """The job, with the result in the run's folder unless the panel names another place."""
        return RenderJob(
            **{
                "output": os.fspath(run.result),
                **self.fields,
                "plate": files_of(Clip.PLATE, self.plate, folder),
                "matte": None if self.matte is None else files_of(Clip.MATTE, self.matte, folder),
                "frames": str(self.frames),
                "report": os.fspath(run.report),
            }
        )


def request_of(host: Host, shown: Mapping[str, Any]) -> Request:
    """What the panel (its widgets' values by the knobs' names) and the inputs ask for.

    Raises:
        SetupError: a knob or an input is not as a run needs it.
    """
    fields = job_fields(shown)
    plate, matte = host.footage(Clip.PLATE), host.footage(Clip.MATTE)
    if plate is None:
        raise SetupError("Nothing is connected to the plate.", remedy="Connect the plate.")
    text = fields.pop("frames", None)
    frames = FrameRange(plate.first, plate.last) if text is None else FrameRange.parse(text)
    return Request(plate, matte, frames, fields)


def written(host: Host, request: Request, folder: JobFolder) -> Iterator[Tuple[Clip, int, int]]:
    """Have the host write what is no file yet; yields (input, done, total) before each frame.

    Raises:
        SetupError: an input has not got the frames, or the host could not render one.
        FolderError: the disk refused.
    """
    for clip, footage, frames in request.to_write:
        for done, total in serialised(host, clip, footage, frames, folder):
            yield clip, done, total


def _within(wanted: FrameRange, clip: Clip, footage: Footage) -> FrameRange:
    """The frames of an input to write: all that are wanted, or the one that a still has."""
    if clip is Clip.MATTE and footage.is_still:
        return FrameRange(footage.first, footage.last)
    if wanted.first < footage.first or wanted.last > footage.last:
        raise SetupError(
            f"Frames {wanted} are wanted, and the {clip.value} has {footage.first}-{footage.last}.",
            remedy="Change the frame range, or the input.",
        )
    return wanted
