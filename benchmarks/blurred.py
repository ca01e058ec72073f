"""Blurred: a disc that moves fast before a quiet plate, its true alpha, and mattes made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR

Field = npt.NDArray[np.float64]

COLOUR = np.array([2.0, 0.15, 1.6])
"""Of the disc, scene-linear: nothing of the plate is near it."""
MATTES: Mapping[str, Callable[[Field], Field]] = {
    "exact": lambda alpha: alpha,
    "keyed": lambda alpha: np.clip((alpha - 0.1) / 0.8, 0.0, 1.0),
    "hard": lambda alpha: (alpha >= 0.5).astype(np.float64),
}
"""The true alpha; as a keyer leaves it, black below 0.1 and white above 0.9; and a plain outline,
which knows nothing of motion blur."""
_FREE = 10  # pixels to each side of the disc's way
_SUPERSAMPLED = 4
_SHUTTER = np.linspace(-0.25, 0.25, 16)  # of a frame


@dataclass(frozen=True)
class Blurred:
    """How such a shot is."""

    frames: int = 14
    """How many."""
    height: int = 64
    """Pixels of a frame."""
    radius: float = 11.0
    """Of the disc, in pixels."""
    speed: float = 5.0
    """Pixels to the right in a frame: half of that is the blur of a shutter of 180 degrees."""

    @property
    def width(self) -> int:
        """Pixels of a frame: the disc stays in it, whatever its speed."""
        way = self.speed * self.frames + 2.0 * self.radius
        return 8 * math.ceil((way + 2 * _FREE) / 8)


def alphas(blurred: Blurred) -> Field:
    """(T, H, W): how much of each pixel the disc covers while the shutter is open."""
    fine = _SUPERSAMPLED
    y, x = np.mgrid[: blurred.height * fine, : blurred.width * fine]
    y, x = (y + 0.5) / fine, (x + 0.5) / fine
    first = 0.5 * (blurred.width - blurred.speed * (blurred.frames - 1))
    found = np.zeros((blurred.frames, blurred.height, blurred.width))
    for index in range(blurred.frames):
        for shutter in _SHUTTER:
            centre = first + blurred.speed * (index + shutter)
            inside = np.hypot(y - 0.5 * blurred.height, x - centre) < blurred.radius
            cells = inside.reshape(blurred.height, fine, blurred.width, fine)
            found[index] += cells.mean((1, 3)) / len(_SHUTTER)
    return found.astype(np.float16).astype(np.float64)


def behind(blurred: Blurred, seed: int = 0) -> Field:
    """(T, H, W, 3): slow waves with a little grain, about 0.1 to 0.5."""
    rng = np.random.default_rng(seed)
    t, y, x = np.mgrid[: blurred.frames, : blurred.height, : blurred.width]
    waves = 0.3 + 0.1 * np.sin(x / 7.0 + y / 11.0 + t / 3.0) + 0.05 * np.sin(y / 4.0 - t / 2.0)
    grain = 0.005 * rng.standard_normal((*waves.shape, 3))
    light = waves[..., None] * [0.8, 1.0, 0.7] + grain
    return np.asarray(light.astype(np.float16).astype(np.float64))


def write_blurred(folder: Path, blurred: Blurred) -> None:
    """`plate`, `truth`, `alpha` and a folder for each of MATTES, half floats, below `folder`."""
    truth, alpha = behind(blurred), alphas(blurred)
    plate = COLOUR * alpha[..., None] + truth * (1.0 - alpha[..., None])
    kinds = {"plate": plate, "truth": truth, "alpha": alpha}
    kinds |= {name: make(alpha) for name, make in MATTES.items()}
    for kind, clip in kinds.items():
        (folder / kind).mkdir(parents=True)
        for index, picture in enumerate(clip):
            half = np.ascontiguousarray(picture, np.float16)
            name = "RGB" if half.ndim == 3 else "A"
            OpenEXR.File({}, {name: half}).write(str(folder / kind / f"b.{1001 + index}.exr"))
