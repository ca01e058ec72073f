"""The length of a shot: how many sizes it has, and what each of them takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from benchmarks.claim import Holds
from benchmarks.length import shortened, shot_seconds, shot_verdict, sizes
from benchmarks.pace import Pace
from infusion_engine.settings import PRESETS

STANDARD = PRESETS["standard"]


@pytest.mark.parametrize(("side", "expected"), [(32, 1), (33, 2), (64, 2), (65, 3)])
def test_the_widest_hole_decides_the_sizes(tmp_path: Path, side: int, expected: int) -> None:
    """A hole of 32 x 32 pixels is small enough; each size more holds one twice as wide."""
    for frame, width in ((1001, 8), (1002, side)):
        matte = np.zeros((80, 80), np.float16)
        matte[:width, :width] = 0.5
        OpenEXR.File({}, {"A": matte}).write(str(tmp_path / f"m.{frame}.exr"))

    assert sizes(tmp_path, STANDARD) == expected


def test_each_size_has_its_own_steps() -> None:
    """Three sizes: 4 intervals of 4000 steps and twice 2 of 1500, a hundredth of a second each."""
    seconds = shot_seconds(
        STANDARD, Pace(0.01, 0.0), levels=3, shot=(60, 240, 432), paced_frames=24
    )

    assert seconds == pytest.approx(12 + 60 * 0.4 + 160 + 60)


def test_the_first_interval_s_batches_take_their_time() -> None:
    """Three in each step: two intervals more of the coarsest size's steps, however many sizes."""
    pace = Pace(0.01, 0.0)
    for levels in (1, 3):
        one, three = (
            shot_seconds(
                replace(STANDARD, layout_batches=batches),
                pace,
                levels=levels,
                shot=(60, 240, 432),
                paced_frames=24,
            )
            for batches in (1, 3)
        )
        assert three - one == pytest.approx(2 * 4000 * 0.01)


def test_an_evaluation_goes_by_its_voxels() -> None:
    """At one size 120 evaluations, each of 39 windows of 12 frames where the trial's has three."""
    seconds = shot_seconds(STANDARD, Pace(0.0, 0.1), levels=1, shot=(240, 96, 96), paced_frames=24)

    assert seconds == pytest.approx(12 + 240 * 0.4 + 120 * 1.3)


def test_a_coarser_size_has_a_quarter_of_the_voxels() -> None:
    """120 evaluations in windows at half the size, and 32 at its own of each frame once."""
    seconds = shot_seconds(STANDARD, Pace(0.0, 0.1), levels=2, shot=(240, 96, 96), paced_frames=24)

    assert seconds == pytest.approx(12 + 240 * 0.4 + 120 * 1.3 / 4 + 32 * 0.1 * 240 / 36)


def test_a_shorter_shot_has_a_share_of_all_steps() -> None:
    """At every size; evaluations stay."""
    assert shortened(STANDARD, 0.5) == replace(
        STANDARD, steps_per_interval=2000, detail_steps_per_interval=750
    )


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [(300.0, 1.0, True), (301.0, 1.0, False), (60.0, 0.5, None), (6000.0, 0.5, None)],
)
def test_a_shorter_shot_says_nothing_of_a_whole_one(
    seconds: float, share: float, expected: Holds
) -> None:
    """It tells its share of the steps, and neither holds nor does not."""
    found = shot_verdict(seconds, shortened(STANDARD, share), STANDARD, 3)

    assert found["holds"] is expected
    assert found["share_of_budget"] == share
    assert found["steps_per_interval"] == 4000 * share
