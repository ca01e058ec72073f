"""Fringe: what a matte leaves of a disc, in closed form, and in a render."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.blurred import COLOUR, MATTES, Blurred, alphas, behind
from benchmarks.fringe import as_used, left, remains, result
from benchmarks.rendering import Rendering

RAMP = np.tile([0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0], (1, 5, 1))


def test_the_true_alpha_keeps_nothing_outside_and_a_quarter_in_a_merge() -> None:
    """The fill over the plate by alpha again leaves alpha (1 - alpha), at most a quarter."""
    found = left(RAMP, as_used(RAMP, 0.0))
    assert found["outside_largest"] == 0.0
    assert found["merged_largest"] == 0.25
    assert found["merged_share"] == pytest.approx((3 / 16 + 1 / 4 + 3 / 16) / 4.5, abs=1e-5)
    assert found["hole_to_trace"] == 1.0


def test_growing_takes_the_ramp_along() -> None:
    """Each pixel has the value that stood one further in; by as many as the ramp has, all is 0."""
    one, all_of_it = (left(RAMP, as_used(RAMP, grow)) for grow in (1.0, 3.0))
    assert one["merged_share"] == pytest.approx((0.25 / 2 + 0.5 / 4) / 4.5, abs=1e-5)
    assert all_of_it["merged_largest"] == 0.0
    assert all_of_it["hole_to_trace"] == pytest.approx(8 / 6, abs=1e-4)


def test_a_hard_outline_keeps_its_rim_outside() -> None:
    """What is below a half stays as it is in the plate, until the matte has grown over it."""
    hard = MATTES["hard"](RAMP)
    assert left(RAMP, as_used(hard, 0.0))["outside_largest"] == 0.25
    assert left(RAMP, as_used(hard, 1.0))["outside_largest"] == 0.0
    assert left(RAMP, as_used(hard, 1.0))["merged_largest"] == 0.0


def test_what_remains_is_the_share_of_the_colour() -> None:
    """Of a blend it is the share, of the truth nothing, and noise has no part in it."""
    truth = np.random.default_rng(0).uniform(0.1, 0.5, (2, 20, 20, 3))
    everywhere = np.ones(truth.shape[:3], bool)
    noise = 0.05 * np.random.default_rng(1).standard_normal(truth.shape)
    assert remains(truth, truth, everywhere) == 0.0
    assert remains(0.3 * COLOUR + 0.7 * truth, truth, everywhere) == 0.3
    assert remains(truth + noise, truth, everywhere) == pytest.approx(0.0, abs=0.003)
    assert remains(truth, truth, ~everywhere) is None


def test_the_disc_is_blurred_and_stays_in_its_frame() -> None:
    """Its area is that of a disc at any speed, and its edge a ramp over half a frame's way."""
    for speed in (5.0, 12.0):
        blurred = Blurred(frames=3, speed=speed)
        alpha = alphas(blurred)
        assert alpha.shape == (3, blurred.height, blurred.width)
        assert alpha.sum((1, 2)) == pytest.approx(np.pi * blurred.radius**2, rel=0.01)
        middle = alpha[1, blurred.height // 2]
        assert np.diff(middle).max() == pytest.approx(2.0 / speed, rel=0.15)
    assert (behind(blurred) == behind(blurred)).all()


@pytest.mark.slow
def test_a_growth_is_told_and_rendered(tmp_path: Path) -> None:
    """Three mattes by arithmetic, one of them by the command with hardly a step."""
    tiny = {
        "intervals": "1", "steps_per_interval": "1", "sampling_steps": "1", "channels": "4",
        "detail_intervals": "1", "detail_steps_per_interval": "1", "detail_sampling_steps": "1",
        "crop_pixels": "16", "window_frames": "3",
    }  # fmt: skip
    blurred = Blurred(frames=3, height=40, radius=6.0)
    told = result(blurred, (0.0,), Rendering(settings=tiny), kinds=("hard",), keep=tmp_path)
    assert set(told["left"]) == set(MATTES)
    found = told["rendered"]["mattes"]["hard"]["0"]
    # The plate's own bits: what is left there is known without a render.
    assert 0.02 < found["fill"]["outside"] < 0.5
    assert found["merged"]["outside"] == found["fill"]["outside"]
    assert (tmp_path / "hard-0" / "contact.png").is_file()
