"""Takes: a clip's takes are rendered from one set of fits and scored together and one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.rendering import Rendering
from benchmarks.takes import OF_ALL, as_asked, takes_of
from tests.benchmarks.smallest import SMALLEST


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three frames of 32 x 32 pixels and a matte."""
    rng = np.random.default_rng(2)
    hole = np.zeros((32, 32), np.uint8)
    hole[10:20, 10:20] = 255
    for part in ("plate", "matte"):
        (tmp_path / "dots" / part).mkdir(parents=True)
    for index in range(3):
        pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "dots" / "plate" / f"f.{index}.png")
        Image.fromarray(hole).save(tmp_path / "dots" / "matte" / f"f.{index}.png")
    return tmp_path / "dots"


def test_takes_are_told_together_and_one_by_one(clip: Path, tmp_path: Path) -> None:
    """Two takes that differ: so do their figures, and there is a diversity."""
    found = takes_of(
        clip,
        Rendering(settings=SMALLEST),
        count=2,
        weights=None,
        keep=tmp_path / "kept",
        cache=tmp_path / "cache",
    )

    assert (found["clip"], found["frames"], len(found["takes"])) == ("dots", 3, 2)
    assert all(found[name] > 0.0 for name in OF_ALL)
    assert found["takes"][0]["psnr_hole"] != found["takes"][1]["psnr_hole"]
    assert (tmp_path / "kept" / "contact.png").is_file()


@pytest.mark.parametrize(
    ("calibration", "holds"), [(0.33, False), (0.5, True), (1.5, True), (1.6, False)]
)
def test_takes_are_to_differ_by_as_much_as_they_are_wrong(calibration: float, holds: bool) -> None:
    """By half of it or half more is as asked."""
    assert as_asked(calibration) == holds
