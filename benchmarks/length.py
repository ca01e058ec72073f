"""Length: how long a shot of several sizes takes, from the pace of its preset on a trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from benchmarks.claim import share_of_budget
from benchmarks.pace import Pace
from benchmarks.trial import SIDE
from infusion_engine.budget import batches, evaluations
from infusion_engine.diffusion.windows import frames_seen
from infusion_engine.settings import Settings, at_level

MINUTES = 5
"""That a whole shot may take: the goal for 60 frames of 432x240 with `standard` on a GPU."""
_AROUND = 12.0  # seconds that a render takes beside fitting and sampling, and ...
_FRAME = 0.4  # ... for each frame


def sizes(matte: Path, settings: Settings) -> int:
    """How many sizes the shot is worked at: halved until its widest hole is small enough.

    `matte` holds EXR frames of one channel A.
    """
    widest = 0
    for file in matte.glob("*.exr"):
        with OpenEXR.File(str(file)) as exr:
            widest = max(widest, int((np.asarray(exr.channels()["A"].pixels) > 0).sum()))
    count, most = 1, settings.coarsest_hole_pixels**2
    while most and widest > most:
        count, widest = count + 1, widest // 4
    return count


def shot_seconds(
    settings: Settings, pace: Pace, *, levels: int, shot: tuple[int, int, int], paced_frames: int
) -> float:
    """Seconds that a render takes.

    An optimiser step is as long at every size; an evaluation goes by the voxels that it sees, and
    here it is taken to see whole frames.

    Args:
        settings: of the render.
        pace: of its preset on a trial.
        levels: how many sizes it is worked at.
        shot: frames, rows and columns.
        paced_frames: frames of the trial.
    """
    frames, height, width = shot
    seconds = _AROUND + _FRAME * frames
    paced_voxels = frames_seen(paced_frames, settings, 0) * SIDE**2
    for level in range(levels):
        own = at_level(settings, level)
        seen = frames_seen(frames, settings, level)
        voxels = seen * height * width / 4 ** (levels - 1 - level)
        evaluation = pace.evaluation_seconds * voxels / paced_voxels
        # A step of several batches is taken to be as long as one step for each.
        seconds += batches(settings, level) * own.steps_per_interval * pace.step_seconds
        seconds += evaluations(settings, level) * evaluation
    return seconds


def shot_verdict(seconds: float, run: Settings, budget: Settings, levels: int) -> dict[str, Any]:
    """How much of the budget a shot had, and whether it took minutes: null where it was shortened.

    Args:
        seconds: wall time of the render.
        run: what it was rendered with.
        budget: what is whole.
        levels: how many sizes it was worked at.
    """
    share = share_of_budget(run, budget, levels=levels)
    return {
        "steps_per_interval": run.steps_per_interval,
        "detail_steps_per_interval": run.detail_steps_per_interval,
        "share_of_budget": round(share, 6),
        "holds": None if share < 1.0 else seconds <= MINUTES * 60.0,
    }


def shortened(settings: Settings, share: float) -> Settings:
    """The same settings with a share of the optimiser steps at every size."""
    return replace(
        settings,
        steps_per_interval=max(1, round(settings.steps_per_interval * share)),
        detail_steps_per_interval=max(1, round(settings.detail_steps_per_interval * share)),
    )
