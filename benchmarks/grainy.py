"""Grainy: a still, smooth plate with grain of known size, and a plain figure drifting over it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenEXR
from scipy.ndimage import gaussian_filter

_DEVIATION = (0.015, 0.012, 0.025)  # of red, green and blue: blue is noisiest in most cameras
_DRIFT = 2  # pixels to the right in a frame
_FIRST = 12  # left side of the figure in the first frame


@dataclass(frozen=True)
class Grainy:
    """How such a plate is."""

    frames: int = 16
    """How many."""
    side: int = 96
    """Pixels of a frame each way."""
    hole: int = 40
    """Pixels of the figure each way."""
    blur: float = 0.5
    """Deviation in pixels by which the grain is blurred; 0 leaves it white."""


def write_grainy(folder: Path, grainy: Grainy, seed: int = 0) -> None:
    """Plate, matte and truth below `folder`, scene-linear half floats.

    Raises:
        ValueError: the figure leaves the frame on its way.
    """
    side, hole = grainy.side, grainy.hole
    if _FIRST + _DRIFT * (grainy.frames - 1) + hole > side:
        raise ValueError(f"{grainy.frames} frames take {hole} pixels out of a frame of {side}")
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    light = (0.25 + 0.2 * x + 0.1 * np.sin(3 * y))[..., None] * [1.0, 0.8, 0.6]
    for index in range(grainy.frames):
        grain = rng.standard_normal((side, side, 3))
        if grainy.blur > 0.0:
            grain = gaussian_filter(grain, (grainy.blur, grainy.blur, 0.0), mode="wrap")
            grain /= grain.std()
        truth = light + grain * _DEVIATION
        matte = np.zeros((side, side))
        top, left = (side - hole) // 2, _FIRST + _DRIFT * index
        matte[top : top + hole, left : left + hole] = 1.0
        plate = np.where(matte[..., None] > 0, [0.02, 0.01, 0.01], truth)
        name = f"grain.{1001 + index}.exr"
        for kind, channels in (
            ("plate", {"RGB": plate}),
            ("truth", {"RGB": truth}),
            ("matte", {"A": matte}),
        ):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            halves = {n: np.ascontiguousarray(v, np.float16) for n, v in channels.items()}
            OpenEXR.File({}, halves).write(str(folder / kind / name))
