"""The simulated shot as pictures: what scores see is what a trial is cut from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

from benchmarks.fire import as_pictures
from infusion_engine.media.display import to_display
from infusion_engine.media.shot import Transfer


def test_pictures_are_display_values(tmp_path: Path) -> None:
    """Scene-linear values through the project's display transform, in 8 bits, below 0 as 0."""
    light = np.array([[[-0.1, 0.0, 0.18], [1.0, 16.0, 64.0]]], np.float16)
    (tmp_path / "truth").mkdir()
    OpenEXR.File({}, {"RGB": light}).write(str(tmp_path / "truth" / "fire.1001.exr"))

    folder = as_pictures(tmp_path / "truth", tmp_path / "pictures")

    found = np.asarray(Image.open(folder / "fire.1001.png"))
    shown = to_display(light, Transfer.SCENE_LINEAR)
    np.testing.assert_array_equal(found, np.rint(shown * 255.0))
    assert found[0, 0, 0] == 0
    assert found[0, 1, 2] == 255
