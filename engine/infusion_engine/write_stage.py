"""Writing: frames of a prepared job, from samples that are all there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from infusion_engine.diffusion.place import sampled_place, with_sample
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.errors import UsageError
from infusion_engine.kept_clip import load_levels
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import holds_layer
from infusion_engine.plan import Plan
from infusion_engine.prepared import Clip, check_same
from infusion_engine.render import Filled, frame_fill, write_frames
from infusion_engine.sheet import write_sheet
from infusion_engine.take import Take
from infusion_engine.work import Work


def write_prepared(work: Work, samples: Sequence[Tensor], frames: FrameRange, shelf: Shelf) -> None:
    """Write frames of every take; of a whole shot the contact sheet too.

    Args:
        work: the plan, what was prepared, the store that holds the clip, and who hears of it.
        samples: each take's, in order; none without a clip.
        frames: to be written.
        shelf: where the samples lie, and the clip is put.

    Raises:
        UsageError: the shot has no such frames.
        FrameError: a frame is damaged, or is another than when the job was prepared.
        StorageError: the output cannot be written, or the clip is gone.
        Cancelled: a stop was asked for.
    """
    plan, prepared, report, shot = work.plan, work.prepared, work.report, work.plan.shot
    if frames.first not in shot.frames or frames.last not in shot.frames:
        raise UsageError(
            f"--write-frames {frames}: the shot's frames are {shot.frames}.",
            remedy="Choose a range inside of them.",
        )
    for layer in dict.fromkeys(take.layer for take in plan.takes):
        if holds_layer(shot, layer):
            report.warn(f"The plate already holds a layer {layer!r}: it is replaced.")
    filled = {}
    if prepared.clip is not None:
        levels = load_levels(work.store, prepared.clip.key, torch.device("cpu"), shelf)
        filled = _filled(plan, prepared.clip, samples, levels[-1], frames)

    def fill_of(take: Take, frame: int) -> Fill | None:
        """What one take puts into one frame."""
        if not filled or prepared.holes[frame].is_empty:
            return None
        one = filled[take]
        return frame_fill(plan, one.region, one.rgb(frame - frames.first), frame, one.camera)

    def fills(frame: int) -> dict[Take, Fill | None]:
        """What each take puts into one frame, which must be as it was."""
        check_same(prepared, plan, frame)
        return {take: fill_of(take, frame) for take in plan.takes}

    write_frames(plan, frames, fills, report)
    if plan.contact_sheet is not None and frames == shot.frames:
        holes = {frame: prepared.holes[frame] for frame in shot.frames}
        write_sheet(shot, holes, lambda frame: list(fills(frame).values()), plan.contact_sheet)
        report.preview(plan.contact_sheet)


def _filled(
    plan: Plan, clip: Clip, samples: Sequence[Tensor], finest: PyramidLevel, wanted: FrameRange
) -> dict[Take, Filled]:
    """Each take's filled clip, of the wanted frames alone."""
    first = wanted.first - plan.shot.frames_read.first
    there = slice(first, first + len(wanted))
    shelf = finest.shelf
    place = sampled_place(finest.hole, plan.settings, shelf)
    part = PyramidLevel(finest.x_0[:, there], finest.hole[:, there], finest.corner, shelf)
    found = {}
    for take, x in zip(plan.takes, samples, strict=True):
        whole: np.ndarray = with_sample(part, place, x[:, there], clip.units[-1]).numpy()
        found[take] = Filled(whole, clip.finest, clip.encoding, clip.camera, shelf)
    return found
