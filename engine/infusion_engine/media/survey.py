"""The survey: one pass over a shot that finds its hole, its range of values, and any damage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from infusion_engine.media.box import Box
from infusion_engine.media.encoding import Encoding, choose_encoding
from infusion_engine.media.layer import WriteMode, read_for_writing
from infusion_engine.media.shot import PlateFrame, Shot, check_something_known

_VALUES_PER_FRAME = 20_000  # known pixels looked at to choose the encoding: enough for percentiles


@dataclass(frozen=True)
class Survey:
    """What one look at every frame tells."""

    holes: Mapping[int, Box]
    """Tightest box around the hole of each frame read; empty where the matte is."""
    encoding: Encoding | None
    """The encoding that suits the known pixels; None when there is no hole anywhere."""
    hole_pixels: int
    """How many pixels the hole has in the frame where it is largest."""

    @property
    def hole(self) -> Box:
        """The smallest box that holds the hole of every frame."""
        whole = Box(0, 0, 0, 0)
        for box in self.holes.values():
            whole = whole.union(box)
        return whole


def survey(shot: Shot, *, mode: WriteMode, on_frame: Callable[[int, int], None]) -> Survey:
    """Look at every frame once: holes, known values, and whether all pixels can be decoded.

    Decoded is whatever writing the frames in `mode` will need, other parts and channels included,
    so that no damage is found after the work. Nothing from under the matte is looked at.
    `on_frame` is called with (frames done, frames).

    Raises:
        FrameError: a frame's pixels are damaged.
        MatteError: the matte covers everything.
    """
    holes: dict[int, Box] = {}
    values: list[np.ndarray] = []
    known_pixels = hole_pixels = 0
    for done, frame in enumerate(shot.frames_read, start=1):
        plate, hole = _look(shot, frame, mode)
        known = plate.valid & ~hole
        holes[frame] = Box.around(hole, shot.canvas)
        hole_pixels = max(hole_pixels, int(hole.sum()))
        count = int(known.sum())
        known_pixels += count
        stride = max(1, count // _VALUES_PER_FRAME)
        values.append(plate.pixels[known][::stride].copy())  # a view would keep the whole frame
        on_frame(done, len(shot.frames_read))
    if all(box.is_empty for box in holes.values()):
        return Survey(holes=holes, encoding=None, hole_pixels=0)
    check_something_known(shot, known_pixels)
    encoding = choose_encoding(np.concatenate(values), shot.transfer)
    return Survey(holes=holes, encoding=encoding, hole_pixels=hole_pixels)


def _look(shot: Shot, frame: int, mode: WriteMode) -> tuple[PlateFrame, np.ndarray]:
    """The colour of a frame, and its hole (H, W) bool; all that will be written is decoded once."""
    # A handle is never written: damage beside its colour hinders nobody.
    read = read_for_writing(shot, frame, mode if frame in shot.frames else WriteMode.FILL)
    return shot.read_plate(frame, read), shot.read_matte(frame, read) > 0.0
