"""Fire: a simulated shot whose truth is known, and its truth as pictures to cut trials from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

from benchmarks.example import make_example
from benchmarks.trial import Trial
from infusion_engine.media.display import to_display
from infusion_engine.media.shot import Transfer


def make_fire(folder: Path, *, frames: int, width: int, height: int) -> Trial:
    """The demo's shot at another size: EXR plate, matte and truth below `folder`.

    Raises:
        subprocess.CalledProcessError: the generator failed.
    """
    make_example("fire", folder, frames=frames, width=width, height=height)
    return Trial("fire", folder / "plate", folder / "matte", folder / "truth", frames)


def as_pictures(frames: Path, folder: Path) -> Path:
    """Scene-linear EXR frames as 8-bit PNG in display values, as scores see them.

    Returns:
        `folder`, which may be given to `make_trial`.
    """
    folder.mkdir(parents=True)
    for file in sorted(frames.glob("*.exr")):
        with OpenEXR.File(str(file)) as exr:
            pixels = exr.channels()["RGB"].pixels  # (H, W, 3) half
        shown = to_display(pixels, Transfer.SCENE_LINEAR)
        Image.fromarray(np.rint(shown * 255.0).astype(np.uint8)).save(folder / f"{file.stem}.png")
    return folder
