"""The survey: one pass over a shot that finds its hole, its range of values, and any damage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from infusion_engine.media.box import Box
from infusion_engine.media.camera import CameraPath
from infusion_engine.media.encoding import Encoding, as_numbers, choose_encoding
from infusion_engine.media.input_space import InputSpace, to_finite_linear
from infusion_engine.media.layer import WriteMode, read_for_writing
from infusion_engine.media.shot import PlateFrame, Shot, Transfer, check_something_known

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
    notes: tuple[str, ...] = ()
    """Sentences about the known values that a user should be told."""
    camera: CameraPath | None = None
    """The camera's path, where it was followed."""

    @property
    def hole(self) -> Box:
        """The smallest box that holds the hole of every frame: of the steady picture, if any."""
        if self.camera is not None:
            return self.camera.hole(self.holes)
        whole = Box(0, 0, 0, 0)
        for box in self.holes.values():
            whole = whole.union(box)
        return whole


def survey(
    shot: Shot,
    *,
    mode: WriteMode,
    on_frame: Callable[[int, int], None],
    space: InputSpace | None = None,
) -> Survey:
    """Look at every frame once: holes, known values, and whether all pixels can be decoded.

    Decoded is whatever writing the frames in `mode` will need, other parts and channels included,
    so that no damage is found after the work. Nothing from under the matte is looked at.
    `on_frame` is called with (frames done, frames). `space` is the plate's colour space, where it
    was named.

    Raises:
        FrameError: a frame's pixels are damaged.
        MatteError: the matte covers everything, or no known value has a place in `space`.
        UsageError: OpenColorIO cannot convert (any more).
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
    known_values = np.concatenate(values)
    if space is None:
        encoding = choose_encoding(known_values, shot.transfer)
        return Survey(holes=holes, encoding=encoding, hole_pixels=hole_pixels)
    # All frames' at once: each call of OpenColorIO reads its config again.
    part = shot.header(shot.frames.first).parts[shot.part]
    bits = None if shot.pixel_type.is_float else part.bits
    linear = to_finite_linear(space, as_numbers(known_values), bits=bits)
    encoding = choose_encoding(linear.values, Transfer.SCENE_LINEAR, space)
    return Survey(holes=holes, encoding=encoding, hole_pixels=hole_pixels, notes=linear.notes)


def _look(shot: Shot, frame: int, mode: WriteMode) -> tuple[PlateFrame, np.ndarray]:
    """The colour of a frame, and its hole (H, W) bool; all that will be written is decoded once."""
    # A handle is never written: damage beside its colour hinders nobody.
    read = read_for_writing(shot, frame, mode if frame in shot.frames else WriteMode.FILL)
    return shot.read_plate(frame, read), shot.read_matte(frame, read) > 0.0
