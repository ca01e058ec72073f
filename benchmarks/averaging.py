"""Averaging: the mean of several fills of the same frames, as frames of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def average(samples: Sequence[Path], target: Path) -> None:
    """Write the mean of the 8-bit pictures of each name, rounded, below `target`.

    Args:
        samples: folders of PNG frames with the same names.
        target: gets the means.

    Raises:
        ValueError: the folders do not hold the same names.
    """
    names = [sorted(f.name for f in folder.glob("*.png")) for folder in samples]
    if not names or not names[0] or any(other != names[0] for other in names):
        raise ValueError(f"{[*map(str, samples)]}: expected the same PNG frames in each")
    target.mkdir(parents=True, exist_ok=True)
    for name in names[0]:
        pictures = []
        for folder in samples:
            with Image.open(folder / name) as picture:
                pictures.append(np.asarray(picture.convert("RGB"), np.float64))
        mean = np.mean(pictures, axis=0)
        Image.fromarray(np.rint(mean).astype(np.uint8)).save(target / name)
