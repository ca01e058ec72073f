"""Following the camera: each frame is registered to one that shows the same, middle first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from infusion_engine.errors import SequenceError
from infusion_engine.media.box import Box
from infusion_engine.media.camera import CameraPath, path_of
from infusion_engine.media.display import to_display
from infusion_engine.media.encoding import as_numbers
from infusion_engine.media.registration import Picture, registered
from infusion_engine.media.shot import Shot
from infusion_engine.media.warp import Floats

_WIDEST = 960
"""Pixels of a frame's longer side at most while it is compared: a hundredth of these is seen."""
_SHOWN = 0.6
"""Share of what a frame is compared with that it has to show; else one nearer takes its place."""
_STEPS = 256
"""Parts of a pixel in which a frame's corners are placed: finer than any error, and so coarse that
machines, which differ in the last bits, nearly always agree. What stands still stands exactly."""
_DIGITS = 12
"""Digits behind the point that are kept of a matrix: what lies beyond is rounding alone."""
_LARGEST = 4.0
"""The steady picture may be so many times as wide and as high as a frame."""


def followed(shot: Shot, on_frame: Callable[[int, int], None]) -> CameraPath:
    """The path of a shot's camera, by what is not hidden.

    What moves by itself has no say as long as something stands still in the picture.

    Args:
        shot: plate and matte.
        on_frame: called with (frames done, frames).

    Raises:
        FrameError: a frame's pixels are damaged.
        SequenceError: a frame shows too little of what its neighbour does.
    """
    frames = list(shot.frames_read)
    middle = frames[len(frames) // 2]
    pictures = _Pictures(shot)
    found: dict[int, Floats] = {middle: np.eye(3)}
    on_frame(1, len(frames))
    onwards = [f for f in frames if f > middle], [f for f in reversed(frames) if f < middle]
    key = pictures(middle)  # both ways begin at it
    for side in onwards:
        for frame, matrix in _onwards(pictures, middle, key, side):
            found[frame] = matrix
            on_frame(len(found), len(frames))
    path = path_of(_absolute(found, pictures.reduced, shot.canvas), shot.canvas)
    whole, own = path.canvas, shot.canvas
    if max(whole.width / own.width, whole.height / own.height) > _LARGEST:
        raise SequenceError(
            f"The camera of {shot.plate} goes too far to be followed: its frames lie in a picture "
            f"of {whole.width}x{whole.height} pixels, and {_LARGEST:g} times a frame's "
            f"{own.width}x{own.height} is the most that can be worked on.",
            remedy="Give fewer frames with --frames, or leave --set camera=locked.",
        )
    return path


class _Pictures:
    """Frames as they are compared."""

    def __init__(self, shot: Shot) -> None:
        self._shot = shot
        longest = max(shot.canvas.width, shot.canvas.height)
        self.reduced = -(-longest // _WIDEST)  # 1 for small frames

    def __call__(self, frame: int) -> Picture:
        """One frame, grey and in display values, and what of it is not hidden.

        Raises:
            FrameError: its pixels are damaged.
        """
        plate = self._shot.read_plate(frame)
        known = plate.valid & (self._shot.read_matte(frame) == 0.0)
        shown = to_display(as_numbers(plate.pixels), self._shot.transfer)
        grey = np.where(known, shown.mean(2), 0.0)
        n = self.reduced
        height, width = (side // n * n for side in grey.shape)
        blocks = (height // n, n, width // n, n)
        small = grey[:height, :width].reshape(blocks).mean((1, 3))
        return Picture.of(small, known[:height, :width].reshape(blocks).all((1, 3)))

    def error(self, frame: int, other: int) -> SequenceError:
        """Why the shot cannot be followed."""
        return SequenceError(
            f"The camera of {self._shot.plate} cannot be followed from frame {other} to {frame}: "
            "too little in them stands still, or is not hidden.",
            remedy="Leave --set camera=locked, or stabilise the shot in your application first.",
        )


def _onwards(
    pictures: _Pictures, middle: int, key: Picture, side: list[int]
) -> Iterator[tuple[int, Floats]]:
    """(frame, its matrix) of each frame to one side of the middle, nearest first.

    Matrices carry reduced pixels of the middle frame, shown by `key`, to those of the frame.
    """
    there, start = np.eye(3), np.eye(3)
    before: Picture | None = None
    last, matrix = middle, np.eye(3)
    for frame in side:
        picture = pictures(frame)
        found = registered(key, picture, start)
        if before is not None and (found is None or found.overlap < _SHOWN * key.known):
            key, there = before, matrix  # the nearest one: far ones show ever less of each other
            found = registered(key, picture, np.eye(3))
        if found is None:
            raise pictures.error(frame, last)
        start, matrix = found.matrix, found.matrix @ there
        last, before = frame, picture
        yield frame, matrix


def _absolute(found: Mapping[int, Floats], reduced: int, canvas: Box) -> dict[int, Floats]:
    """Matrices in absolute pixels of the plate, of those in reduced ones, first frame first."""
    n, offset = reduced, reduced / 2.0 - 0.5
    own = np.array([[n, 0, offset + canvas.x0], [0, n, offset + canvas.y0], [0, 0, 1]], np.float64)
    back = np.linalg.inv(own)
    return {frame: _stepped(own @ found[frame] @ back, canvas) for frame in sorted(found)}


def _stepped(matrix: Floats, canvas: Box) -> Floats:
    """The homography that carries the corners of `canvas` to the nearest steps."""
    x = np.array([canvas.x0, canvas.x1, canvas.x0, canvas.x1], np.float64)
    y = np.array([canvas.y0, canvas.y0, canvas.y1, canvas.y1], np.float64)
    across, down, depth = matrix @ np.stack([x, y, np.ones(4)])
    across, down = (np.round(ends / depth * _STEPS) / _STEPS for ends in (across, down))
    one, none = np.ones(4), np.zeros(4)
    equations = [
        np.stack([x, y, one, none, none, none, -x * across, -y * across], axis=1),
        np.stack([none, none, none, x, y, one, -x * down, -y * down], axis=1),
    ]
    numbers = np.linalg.solve(np.concatenate(equations), np.concatenate([across, down]))
    return np.append(np.round(numbers, _DIGITS), 1.0).reshape(3, 3)
