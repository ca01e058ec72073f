"""How plate values are shown: the one display transform behind every picture and every score.

Scene-linear values have no upper end, and a fire's core clipped at 1 is a white hole in which a
good fill and a bad one look alike. They go through a soft shoulder and then the sRGB curve:

    y = x (1 + x / W^2) / (1 + x)                    Reinhard et al. 2002, equation 4, with W = 64
    display = 12.92 y                                where y <= 0.0031308
              1.055 y^(1 / 2.4) - 0.055              elsewhere

0.18 lands on 0.43, 1 on 0.74, 16 on 0.98, and only W and more on 1. Each channel goes by itself, so
hot colours pale as they do on film. Values below 0 are shown as 0.

Display-referred plates (integer pixels, log DPX among them) are shown as they are stored. Nothing
that is rendered passes through here: this is for looking and for scoring.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infusion_engine.media.shot import Transfer

WHITE = 64.0
"""Scene-linear value that is shown as full white."""


def to_display(pixels: np.ndarray, transfer: Transfer) -> npt.NDArray[np.float32]:
    """Values as shown, float32 in [0, 1], same shape.

    `pixels` may have any shape. Integer types count from 0 to their own full scale; floats are
    scene-linear, or 0..1 of full scale when `transfer` is DISPLAY. NaN is shown as 0, inf as 1.
    """
    values = np.asarray(pixels, np.float32)
    if pixels.dtype.kind in "ui":
        values = values / np.float32(np.iinfo(pixels.dtype).max)
    top = 1.0 if transfer is Transfer.DISPLAY else WHITE
    x = np.clip(np.nan_to_num(values, nan=0.0, posinf=top, neginf=0.0), 0.0, top)
    if transfer is Transfer.DISPLAY:
        return np.asarray(x, np.float32)
    y = x * (1.0 + x / WHITE**2) / (1.0 + x)
    shown = np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055)
    return np.asarray(shown, np.float32)
