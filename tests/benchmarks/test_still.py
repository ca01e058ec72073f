"""The still benchmark: its errors and deviations are those that were planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.frames import Frame
from benchmarks.rendering import Rendering
from benchmarks.still import Size, figures, paper_in, result, verdict
from infusion_engine.media.shot import Transfer

SHAPE = (8, 12)
STILL = np.zeros(SHAPE, bool)
STILL[:, :6] = True
HOLE = np.zeros(SHAPE, bool)
HOLE[2:6, 2:10] = True


def shot(*errors: float) -> list[Frame]:
    """A frame for each relative error of the fill's still part; its moving part is the truth."""
    rng = np.random.default_rng(1)
    wall = rng.uniform(0.1, 4.0, (*SHAPE, 3))
    frames = []
    for error in errors:
        truth = np.where(STILL[..., None], wall, rng.uniform(0.1, 4.0, (*SHAPE, 3)))
        filled = truth * np.where((HOLE & STILL)[..., None], 1.0 + error, 1.0)
        frames.append(Frame(filled, truth, HOLE, Transfer.SCENE_LINEAR))
    return frames


def test_the_truth_is_without_error() -> None:
    """No error, no deviation, all motion and detail; and the claims hold."""
    found = figures(iter(shot(0.0, 0.0, 0.0)), STILL)
    assert found["still"] == {
        "largest": 0.0, "rms": 0.0, "within_1_percent": 1.0, "deviation": 0.0,
        "largest_deviation": 0.0,
    }  # fmt: skip
    assert found["moving"] == {"motion": 1.0, "detail": 1.0}
    assert verdict(found) == {"still_holds": True, "motion_holds": True}


def test_a_constant_error_does_not_deviate() -> None:
    """Two per cent everywhere in every frame."""
    still = figures(iter(shot(0.02, 0.02, 0.02)), STILL)["still"]
    assert still["largest"] == pytest.approx(0.02)
    assert still["rms"] == pytest.approx(0.02)
    assert still["within_1_percent"] == 0.0
    assert still["deviation"] == pytest.approx(0.0, abs=1e-8)


def test_a_changing_error_deviates_by_its_own_deviation() -> None:
    """Three and minus three per cent by turns, and none: root mean square and deviation agree."""
    found = figures(iter(shot(0.03, -0.03, 0.0)), STILL)
    rms = np.sqrt((0.03**2 * 2) / 3)
    assert found["still"]["largest"] == pytest.approx(0.03)
    assert found["still"]["rms"] == pytest.approx(rms, rel=1e-3)
    assert found["still"]["deviation"] == pytest.approx(rms, rel=1e-3)
    assert found["still"]["largest_deviation"] == pytest.approx(rms, rel=1e-3)
    assert found["still"]["within_1_percent"] == pytest.approx(1 / 3, rel=1e-3)
    assert verdict(found)["still_holds"] is False
    assert found["moving"] == {"motion": 1.0, "detail": 1.0}  # nothing of the wall is in it


def test_a_deviation_is_around_the_fill_s_own_mean() -> None:
    """One frame of three is out by three per cent: the mean is one, the deviation root two."""
    still = figures(iter(shot(0.03, 0.0, 0.0)), STILL)["still"]
    assert still["deviation"] == pytest.approx(0.01 * np.sqrt(2.0), rel=1e-3)
    assert still["rms"] == pytest.approx(0.03 / np.sqrt(3.0), rel=1e-3)


def test_a_frozen_moving_part_has_no_motion() -> None:
    """The fill of the moving part is that of the first frame."""
    frames = shot(0.0, 0.0, 0.0)
    frozen = [Frame(frames[0].result, f.plate, f.hole, f.transfer) for f in frames]
    found = figures(iter(frozen), STILL)
    assert found["moving"]["motion"] == 0.0
    assert verdict(found)["motion_holds"] is False


def test_what_is_wrong_beside_the_moving_part_is_not_felt_away_from_it() -> None:
    """Errors within eight pixels of what moves are among all, and not among those away."""
    rng = np.random.default_rng(3)
    still = np.zeros((8, 30), bool)
    still[:, :20] = True
    truth = rng.uniform(0.1, 4.0, (8, 30, 3))
    filled = truth.copy()
    filled[:, 12:20] *= 1.1
    hole = np.ones((8, 30), bool)
    found = figures(iter([Frame(filled, truth, hole, Transfer.SCENE_LINEAR)]), still)
    assert found["still"]["largest"] == pytest.approx(0.1, rel=1e-3)
    assert found["still"]["deviation"] is None
    assert found["still_away"]["largest"] == 0.0


def test_without_a_still_part_there_is_nothing_to_tell() -> None:
    """Null, not zero."""
    found = figures(iter(shot(0.0, 0.0)), np.zeros(SHAPE, bool))
    assert set(found["still"].values()) == {None}
    assert verdict(found)["still_holds"] is None


def test_paper_gets_the_steps_that_there_is_time_for() -> None:
    """At least one of each; the flags and numbers of the first rendering are not its own."""
    first = Rendering(settings={"batch": "2"}, flags=("--minutes", "3"))
    found = paper_in(9.0, Size(3, 16, 16), first)
    assert (found.preset, found.flags, found.threads) == ("paper", (), 1)
    assert set(found.settings) == {"steps_per_interval", "sampling_steps"}
    assert min(int(number) for number in found.settings.values()) >= 1


def test_a_tiny_shot_from_end_to_end(tmp_path: Path) -> None:
    """Made, rendered by the command, measured and stamped; frames and sheet are kept."""
    tiny = {
        "intervals": "1", "steps_per_interval": "1", "sampling_steps": "1", "channels": "4",
        "detail_intervals": "1", "detail_steps_per_interval": "1", "detail_sampling_steps": "1",
        "crop_pixels": "16", "window_frames": "3",
    }  # fmt: skip
    told = result(Size(16, 32, 24), Rendering(settings=tiny), paper=False, keep=tmp_path)
    (run,) = told["runs"]
    assert run["preset"] == "draft"
    assert 0.0 < run["still"]["rms"] <= run["still"]["largest"]
    assert run["moving"]["motion"] >= 0.0
    assert told["commit"]
    assert (tmp_path / "draft" / "contact.png").is_file()
    assert len(list((tmp_path / "draft" / "frames").iterdir())) == 16
