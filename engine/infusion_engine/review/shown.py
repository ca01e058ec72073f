"""One frame as it was and as it became, in display values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infusion_engine.media.box import Box
from infusion_engine.media.display import to_display
from infusion_engine.media.layer import Fill
from infusion_engine.media.shot import Shot


@dataclass(frozen=True, eq=False)
class Shown:
    """A part of one frame before and after; arrays of one size."""

    plate: npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1], the plate as it was."""
    fill: npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1], the plate with the fill in it."""
    matte: npt.NDArray[np.float32]
    """(H, W) in [0, 1], the matte as used; hole = matte > 0."""

    def cut(self, box: Box, frame: Box) -> Shown:
        """The pixels inside `box`, where this is all of `frame`."""
        place = box.slices(frame)
        return Shown(self.plate[place], self.fill[place], self.matte[place])


def shown(shot: Shot, frame: int, fill: Fill | None) -> Shown:
    """A frame of the shot on its whole canvas, read again; without a fill it became what it was.

    Raises:
        FrameError: the pixels are damaged.
    """
    plate = to_display(shot.read_plate(frame).pixels, shot.transfer)
    matte = shot.read_matte(frame)
    became = plate.copy()
    if fill is not None:
        place = fill.box.slices(shot.canvas)
        alpha = matte[place][..., None]
        filled = to_display(fill.rgb, shot.transfer)
        # Where the matte is empty the plate stays, whatever it is made of.
        became[place] = np.where(
            alpha > 0, filled * alpha + plate[place] * (1 - alpha), plate[place]
        )
    return Shown(plate, became, matte)
