"""A real shot on disk for Blender to work on, and what is read of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

HEIGHT, WIDTH = 40, 48
FRAMES = range(1001, 1005)
SETTINGS = (
    "intervals=2 steps_per_interval=2 sampling_steps=2 channels=8 detail_intervals=1 "
    "detail_steps_per_interval=2 detail_sampling_steps=2 coarsest_hole_pixels=6 crop_pixels=16 "
    "settling_rounds=1 window_frames=4 context_pixels=12"
)
"""Settings under which a whole run takes a moment."""


@dataclass(frozen=True)
class Shot:
    """A shot on disk, and the folder of a .blend file beside it."""

    folder: Path
    """Holds `plate/`, `matte/` and `work/`."""

    @property
    def blend(self) -> Path:
        """The .blend file."""
        return self.folder / "work" / "shot.blend"

    def arguments(self, **knobs: Any) -> dict[str, Any]:
        """What a story needs to begin, with these knobs besides the tiny settings."""
        return {
            "plate": str(self.folder / "plate/fire.1001.exr"),
            "matte": str(self.folder / "matte/hole.1001.exr"),
            "blend": str(self.blend),
            "knobs": {
                "engine": str(Path(sys.executable).with_name("infusion-render")),
                "cache": str(self.folder / "cache"),
                "device": "cpu",
                "threads": 1,
                "settings": SETTINGS,
                **knobs,
            },
        }

    def plate(self, frame: int) -> dict[str, np.ndarray]:
        """The plate's channels."""
        return read_exr(self.folder / f"plate/fire.{frame}.exr")

    def hole(self, frame: int) -> np.ndarray:
        """(H, W) bool: True where something is replaced."""
        return np.asarray(read_exr(self.folder / f"matte/hole.{frame}.exr")["A"] > 0)

    def look(self, name: str) -> str:
        """A folder for frames that Blender renders."""
        folder = self.folder / name
        folder.mkdir()
        return str(folder)


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """The channels of a file of one part, (H, W) each, by name."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        (part,) = file.parts
        return {name: np.array(channel.pixels) for name, channel in part.channels.items()}


def write_exr(path: Path, channels: dict[str, np.ndarray], **more: object) -> None:
    """A file of one part, with more in its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION, **more}
    OpenEXR.File([OpenEXR.Part(header, channels, "")]).write(str(path))


def write_shot(folder: Path) -> Shot:
    """Four half frames from 1001 with values above 1 and below 0, and a drifting matte."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for frame in FRAMES:
        grain = np.random.default_rng(frame).random((HEIGHT, WIDTH))
        waves = {
            name: (2.5 + 3 * np.sin(x / 4 + y / 9 + frame + k) + grain).astype(np.float16)
            for k, name in enumerate("BGR")
        }
        write_exr(folder / f"plate/fire.{frame}.exr", waves)
        matte = np.zeros((HEIGHT, WIDTH), np.float16)
        left = 18 + frame % 5
        matte[14:23, left : left + 10] = 1.0
        matte[14:23, left] = 0.5
        write_exr(folder / f"matte/hole.{frame}.exr", {"A": matte})
    (folder / "work").mkdir()
    return Shot(folder)
