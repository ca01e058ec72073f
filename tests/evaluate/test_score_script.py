"""Holds the figures against the script by which everyone compares, on real footage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infusion_engine.evaluate.compare import Comparison, compare
from infusion_engine.evaluate.patches import MOST

FRAMES = range(1001, 1009)
CROP = np.s_[60:200, 80:240]
PRINTED = {
    "psnr_hole": 3, "psnr_full": 3, "perceptual": 4, "swd3d": 3, "detail": 3, "motion": 3,
}  # fmt: skip


@pytest.fixture
def crop(outside_media: Path, tmp_path: Path) -> Path:
    """Eight frames of a wave, cropped, its matte moved onto the crop's middle, and a rough fill."""
    if not (outside_media / "tools" / "score.py").is_file():
        pytest.skip(f"no tools/score.py in {outside_media}")
    if not (outside_media / "weights").is_dir():
        pytest.skip(f"no weights/ in {outside_media}")
    clip = outside_media / "footage" / "seawave"
    rng = np.random.default_rng(1)
    for name in ("truth", "matte", "result"):
        (tmp_path / name).mkdir()
    for frame in FRAMES:
        truth = np.asarray(Image.open(clip / "plate" / f"plate.{frame}.png").convert("RGB"))[CROP]
        matte = np.zeros(truth.shape[:2], np.uint8)
        shift = 3 * (frame - FRAMES[0])
        matte[10:110, 20 + shift : 120 + shift] = 1  # the least that an 8-bit matte can say
        if frame == FRAMES[2]:
            matte[:] = 0
        filled = np.roll(truth, (17, 9), axis=(0, 1)) + rng.normal(0.0, 6.0, truth.shape)
        result = np.where(matte[..., None] > 0, np.clip(filled, 0, 255), truth).astype(np.uint8)
        for name, pixels in (("truth", truth), ("matte", matte), ("result", result)):
            Image.fromarray(pixels).save(tmp_path / name / f"f.{frame}.png")
    return tmp_path


def test_the_figures_are_those_of_the_script(crop: Path, outside_media: Path) -> None:
    """Every figure that both have is the same to the decimals that the script prints.

    The matte moves, is at its lowest, and is empty in one frame; of its patches some are drawn.
    """
    result, truth, matte = (str(crop / name) for name in ("result", "truth", "matte"))
    script = [sys.executable, str(outside_media / "tools" / "score.py"), result, truth, matte]
    run = subprocess.run(script, capture_output=True, text=True, check=True, timeout=240)
    theirs = json.loads(run.stdout)
    report = compare(Comparison(result, truth, matte, weights=outside_media / "weights"))
    assert report.figures.hole_pixels > MOST
    assert report.perceptual is not None
    ours = {
        **vars(report.figures),
        "perceptual": report.perceptual.perceptual,
        "swd3d": report.swd3d,
    }
    for name, decimals in PRINTED.items():
        half = 0.5 * 10**-decimals
        assert ours[name] == pytest.approx(theirs[name], rel=0, abs=1.01 * half), name
    assert (ours["frames"], ours["outside"]) == (theirs["frames"], theirs["outside"])
