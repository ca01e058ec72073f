"""Trial: a square of a real clip, a hole that drifts over it, and nothing true under the hole.

96 x 96 pixels, so that the published method, which trains on whole frames, gets somewhere in
minutes. What is under the matte is noise of a colour that no plate has: a leak cannot win.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 96
"""Pixels of a trial each way."""
HALVED = 2
"""A square of SIDE x HALVED pixels of the clip is halved: real footage has real edges then."""
HOLE = 32
"""Pixels of the square hole each way."""
FRAMES = 24
"""Frames at most."""
_FIRST = (32, 24)  # left and top of the hole in the first frame
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True)
class Trial:
    """Where a trial lies."""

    name: str
    """The clip's."""
    plate: Path
    """Frames to fill, 8-bit PNG."""
    matte: Path
    """White = fill."""
    truth: Path
    """What was there."""
    frames: int
    """How many there are."""


def make_trial(clip: Path, folder: Path) -> Trial:
    """Cut a trial out of `clip` (a folder of pictures, or one with such a folder `plate`).

    Args:
        clip: its pictures, in order of their names, have at least 192 pixels each way.
        folder: gets plate, matte and truth.

    Raises:
        ValueError: there are no pictures, or they are too small.
    """
    source = clip / "plate" if (clip / "plate").is_dir() else clip
    files = sorted(f for f in source.iterdir() if f.suffix.lower() in _SUFFIXES)[:FRAMES]
    if not files:
        raise ValueError(f"{source}: no pictures (expected {', '.join(_SUFFIXES)})")
    poison = np.random.default_rng(0)
    trial = Trial(clip.name, folder / "plate", folder / "matte", folder / "truth", len(files))
    for part in (trial.plate, trial.matte, trial.truth):
        part.mkdir(parents=True)
    for index, file in enumerate(files):
        truth = _square(file)
        hole = _hole(index)
        plate = np.where(hole[..., None], _poison(poison), truth)
        name = f"frame.{1001 + index}.png"
        Image.fromarray(truth).save(trial.truth / name)
        Image.fromarray(plate).save(trial.plate / name)
        Image.fromarray(hole.astype(np.uint8) * 255).save(trial.matte / name)
    return trial


def _square(file: Path) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: the middle of a picture at half its size."""
    with Image.open(file) as picture:
        whole = SIDE * HALVED
        if min(picture.size) < whole:
            raise ValueError(f"{file}: {picture.width}x{picture.height}, expected {whole} each way")
        left, top = (picture.width - whole) // 2, (picture.height - whole) // 2
        square = picture.convert("RGB").crop((left, top, left + whole, top + whole))
        return np.asarray(square.reduce(HALVED))


def _hole(index: int) -> np.ndarray:
    """(SIDE, SIDE) bool: a square that drifts a pixel to the right in each frame."""
    hole = np.zeros((SIDE, SIDE), bool)
    left, top = _FIRST[0] + index, _FIRST[1]
    hole[top : top + HOLE, left : left + HOLE] = True
    return hole


def _poison(rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8 of flickering magenta."""
    magenta = np.array([1.0, 0.0, 1.0]) * rng.uniform(128, 256, (SIDE, SIDE, 1))
    return magenta.astype(np.uint8)
