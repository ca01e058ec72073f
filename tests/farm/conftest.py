"""Tiny shots, and jobs that fill them, for the farm to divide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from infusion_engine.farm.bundle import FarmJob, farm_job
from infusion_engine.farm.division import divided
from infusion_engine.farm.steps import Fits
from infusion_engine.plan import prepare
from infusion_node.wire.job import RenderJob

HEIGHT, WIDTH = 40, 48
TINY = {
    "intervals": "2", "steps_per_interval": "2", "sampling_steps": "2", "channels": "8",
    "detail_intervals": "1", "detail_steps_per_interval": "2", "detail_sampling_steps": "2",
    "coarsest_hole_pixels": "6", "crop_pixels": "16", "window_frames": "4", "context_pixels": "12",
    "precision": "fp32",
}  # fmt: skip
"""Two intervals at half the size of these shots, then one at their own."""


@dataclass(frozen=True)
class Shot:
    """A shot on disk."""

    folder: Path
    """Holds `plate/` and `matte/`."""

    def job(self, **changes: Any) -> RenderJob:
        """A job that fills it with tiny settings."""
        fields: dict[str, Any] = {
            "plate": str(self.folder / "plate"),
            "matte": str(self.folder / "matte"),
            "output": str(self.folder / "out"),
            "cache": str(self.folder / "cache"),
            "settings": TINY,
            "device": "cpu",
            "threads": 1,
        }
        return RenderJob(**{**fields, **changes})

    def job_file(self, **changes: Any) -> Path:
        """The same as a file."""
        path = self.folder / "job.json"
        path.write_text(self.job(**changes).to_json())
        return path

    def farm(self, fits: Fits = Fits.BASE, **changes: Any) -> FarmJob:
        """The same made ready for a farm."""
        plan = prepare(self.job(**changes))
        return farm_job(plan, divided(plan, lambda _done, _total: None), fits)


def _write(path: Path, **channels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
    OpenEXR.File([OpenEXR.Part(header, channels, "")]).write(str(path))


@pytest.fixture(scope="session")
def make_shot() -> Callable[..., Shot]:
    """Writes a shot: `make_shot(folder, frames, hole=9)`; its plate's own A is a matte, too."""

    def make(folder: Path, frames: range = range(1001, 1006), hole: int = 9) -> Shot:
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        for frame in frames:
            matte = np.zeros((HEIGHT, WIDTH), np.float32)
            left = 18 + frame % 5
            matte[14 : 14 + hole, left : left + hole] = 1.0
            waves = [0.5 + 0.35 * np.sin(x / 4 + y / 9 + frame + c) for c in range(3)]
            colours = {n: w.astype(np.float16) for n, w in zip("RGB", waves, strict=True)}
            _write(folder / f"plate/fire.{frame}.exr", **colours, A=matte.astype(np.float16))
            _write(folder / f"matte/hole.{frame}.exr", A=matte)
        return Shot(folder)

    return make


@pytest.fixture
def shot(make_shot: Callable[..., Shot], tmp_path: Path) -> Shot:
    """A shot of five frames."""
    return make_shot(tmp_path)
