"""Attempts: a render by the real command, and what is told where one fails."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.attempt import Contender, attempt, figures, scored
from benchmarks.trial import Trial
from tests.benchmarks.smallest import SMALLEST


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Three frames of 32 x 32 pixels."""
    made = Trial("dots", tmp_path / "plate", tmp_path / "matte", tmp_path / "truth", 3)
    rng = np.random.default_rng(2)
    hole = np.zeros((32, 32), np.uint8)
    hole[10:20, 10:20] = 255
    for folder in (made.plate, made.matte, made.truth):
        folder.mkdir()
    for index in range(3):
        pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(made.truth / f"f.{index}.png")
        Image.fromarray(pixels).save(made.plate / f"f.{index}.png")
        Image.fromarray(hole).save(made.matte / f"f.{index}.png")
    return made


def test_an_attempt_is_rendered_and_scored(trial: Trial, tmp_path: Path) -> None:
    """Frames and sheet are kept; without weights the perceptual figure alone is missing."""
    done = attempt(
        trial,
        Contender("smallest", "draft", SMALLEST),
        weights=None,
        threads=1,
        keep=tmp_path / "kept",
    )

    assert set(done.scores) == {"swd3d", "detail", "motion", "psnr_hole"}
    assert len(list((tmp_path / "kept" / "frames").glob("*.png"))) == 3
    assert (tmp_path / "kept" / "contact.png").is_file()
    assert done.seconds > 0.0


def test_the_last_lines_of_a_failing_command_are_told(trial: Trial, tmp_path: Path) -> None:
    """What the command said, its exit code, and how it was called."""
    with pytest.raises(RuntimeError) as caught:
        attempt(
            trial,
            Contender("impossible", "draft", {"channels": "7"}),
            weights=None,
            threads=1,
            keep=tmp_path / "kept",
        )

    told = str(caught.value)
    assert "channels=7" in told.splitlines()[0]
    assert "ended with 2" in told
    assert "multiple of 4" in told


def test_the_device_is_handed_on(trial: Trial, tmp_path: Path) -> None:
    """A device that is not there is refused by the command, not silently replaced."""
    with pytest.raises(RuntimeError, match="cuda:99"):
        attempt(
            trial,
            Contender("far away", "draft", SMALLEST),
            weights=None,
            threads=1,
            keep=tmp_path / "kept",
            device="cuda:99",
        )


def test_a_render_is_ended_at_its_limit(trial: Trial, tmp_path: Path) -> None:
    """A limit that no render keeps ends it."""
    with pytest.raises(subprocess.TimeoutExpired):
        attempt(
            trial,
            Contender("late", "draft", SMALLEST),
            weights=None,
            threads=1,
            keep=tmp_path / "kept",
            limit=0.05,
        )


def test_the_truth_scores_best(trial: Trial) -> None:
    """Scored against itself it has all of its detail and motion, and no patch is out of place."""
    scores = scored(trial, trial.truth, weights=None)

    assert (scores["detail"], scores["motion"]) == (1.0, 1.0)
    assert scores["swd3d"] == 0.0


def test_a_figure_that_cannot_be_told_is_left_out() -> None:
    """Null stands in the JSON of `infusion-evaluate` where it is."""
    assert figures({"swd3d": 0.12345, "detail": None, "frames": 3}) == {"swd3d": 0.1235}
