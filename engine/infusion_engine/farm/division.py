"""Division: how many fits, takes and frames one job comes to, found out without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infusion_engine.diffusion.layout import Layout, lay_out
from infusion_engine.media.box import Box
from infusion_engine.media.follow import followed
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.shot import Shot
from infusion_engine.media.survey import Survey
from infusion_engine.plan import Plan
from infusion_engine.settings import Camera, at_level


@dataclass(frozen=True)
class Division:
    """What a job divides into."""

    frames: FrameRange
    """Frames to write."""
    frames_read: int
    """How many frames are read, handles included."""
    hole: Box
    """The smallest box around the hole of every frame, in the plate's coordinates or those of the
    steady picture of a camera that was followed."""
    layout: Layout | None
    """The sizes that are worked at; None where the matte is empty on every frame."""
    intervals: tuple[int, ...]
    """Fits of each level, coarsest first; empty where there is nothing to fill."""
    takes: int
    """Samples to draw."""

    @property
    def fits(self) -> int:
        """Fits of all levels together: the chain's intervals are counted from 1 to this."""
        return sum(self.intervals)


def divided(plan: Plan, on_frame: Callable[[int, int], None]) -> Division:
    """What `plan` divides into: as a render finds it, but only the matte is decoded.

    The number of levels hangs on the widest hole there is, so each frame's matte has to be seen; to
    follow a camera the plate is decoded, too. `on_frame` is called with (frames done, frames).

    Raises:
        FrameError: a frame of the matte is damaged.
        SequenceError: the camera cannot be followed.
    """
    shot = plan.shot
    holes, pixels = _holes(shot, on_frame)
    camera, canvas = None, shot.canvas
    if plan.settings.camera is Camera.FOLLOWED and pixels:
        camera = followed(shot, on_frame)
        canvas = camera.canvas
    hole = Survey(holes=holes, encoding=None, hole_pixels=pixels, camera=camera).hole
    layout = None if hole.is_empty else lay_out(hole, pixels, canvas, plan.settings)
    levels = 0 if layout is None else len(layout.parts)
    return Division(
        frames=shot.frames,
        frames_read=len(shot.frames_read),
        hole=hole,
        layout=layout,
        intervals=tuple(at_level(plan.settings, level).intervals for level in range(levels)),
        takes=len(plan.takes),
    )


def _holes(shot: Shot, on_frame: Callable[[int, int], None]) -> tuple[dict[int, Box], int]:
    """The box around the hole of each frame, and the pixels of the largest one."""
    holes, most = dict[int, Box](), 0
    for done, frame in enumerate(shot.frames_read, start=1):
        hole = shot.read_matte(frame) > 0.0
        holes[frame] = Box.around(hole, shot.canvas)
        most = max(most, int(hole.sum()))
        on_frame(done, len(shot.frames_read))
    return holes, most
