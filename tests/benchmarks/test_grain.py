"""Grain: white noise has the power that it was made with, and what is wrong with a fill is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.frames import Frame, Source, Values, frames_of
from benchmarks.grain import SIDE, corners, figures, made, spectra
from benchmarks.grainy import Grainy, write_grainy
from benchmarks.rendering import Rendering
from infusion_engine.media.shot import Transfer

SHAPE = (96, 112)
HOLE = np.zeros(SHAPE, bool)
HOLE[24:72, 32:80] = True
Change = Callable[[Values, int], Values]


def shot(change: Change) -> list[Frame]:
    """White grain of deviation 0.1 over a still slope; `change` makes the grain of the hole."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] / 100
    light = np.repeat((1.0 + 0.3 * x + 0.2 * y)[..., None], 3, 2)
    frames = []
    for index in range(8):
        grain = 0.1 * rng.standard_normal((*SHAPE, 3))
        inside = np.where(HOLE[..., None], change(grain, index), grain)
        frames.append(Frame(light + inside, light, HOLE, Transfer.SCENE_LINEAR))
    return frames


def test_white_noise_has_its_variance_at_every_wave() -> None:
    """Mean power is the variance, whatever the window and without the mean."""
    noise = 0.3 * np.random.default_rng(0).standard_normal((4000, SIDE, SIDE, 3)) + 5.0
    power = (np.abs(spectra(noise)) ** 2).mean((0, 3))
    assert power[3:-2, 3:-2] == pytest.approx(0.09, rel=0.06)


def test_squares_lie_wholly_in_their_place() -> None:
    """Half a side apart, none across the edge; a place too small has none."""
    where = np.zeros((40, 48), bool)
    where[:, 8:32] = True
    assert corners(where).tolist() == [[y, x] for y in (0, 8, 16, 24) for x in (8, 16)]
    assert len(corners(np.ones((SIDE - 1, 60), bool))) == 0


def test_the_plate_s_own_grain_is_right() -> None:
    """All ratios near 1, its deviation that of both frames, not frozen, not doubled."""
    found = figures(shot(lambda grain, _: grain))
    for told in found["channels"].values():
        assert told["deviation"]["outside"] == pytest.approx(0.1, rel=0.05)
        assert told["ratio"] == pytest.approx(dict.fromkeys(told["ratio"], 1.0), rel=0.15)
        assert abs(told["likeness"]["inside"]) < 0.1
    assert found["within_a_quarter"]
    assert not found["frozen"]
    assert not found["doubled"]


def test_added_grain_is_doubled() -> None:
    """Twice the power in each band and channel."""
    found = figures(shot(lambda grain, _: grain * np.sqrt(2.0)))
    for told in found["channels"].values():
        assert told["ratio"] == pytest.approx(dict.fromkeys(told["ratio"], 2.0), rel=0.15)
    assert found["doubled"]
    assert not found["within_a_quarter"]


def test_a_frozen_grain_is_told() -> None:
    """Its power is gone from the differences, and each frame is the one before."""
    still = 0.1 * np.random.default_rng(7).standard_normal((*SHAPE, 3))
    found = figures(shot(lambda _grain, _index: still))
    for told in found["channels"].values():
        assert told["ratio"]["total"] == pytest.approx(0.0, abs=1e-9)
        assert told["likeness"]["inside"] == pytest.approx(1.0, abs=1e-6)
    assert found["frozen"]
    assert not found["doubled"]


def test_a_blurred_grain_lacks_its_fine_waves() -> None:
    """As much as a Gaussian takes from the power at a wave: exp(-(2 pi f s)^2)."""
    found = figures(shot(lambda grain, _: gaussian_filter(grain, (0.6, 0.6, 0.0))))
    ratio = found["channels"]["G"]["ratio"]
    assert ratio["coarse"] == pytest.approx(np.exp(-((2 * np.pi * 0.16 * 0.6) ** 2)), abs=0.15)
    assert ratio["fine"] < 0.2
    assert ratio["fine"] < ratio["middle"] < ratio["coarse"]


def test_one_channel_alone_can_be_wrong() -> None:
    """Blue without grain; red and green as they are."""
    found = figures(shot(lambda grain, _: grain * [1.0, 1.0, 0.0]))
    assert found["channels"]["B"]["ratio"]["total"] < 1e-6
    assert found["channels"]["R"]["ratio"]["total"] == pytest.approx(1.0, rel=0.1)
    assert not found["within_a_quarter"]


def test_what_is_far_from_the_hole_is_not_looked_at() -> None:
    """Livelier grain more than forty pixels away: another light, another distance."""
    rng = np.random.default_rng(9)
    hole = np.zeros((96, 200), bool)
    hole[24:72, 24:72] = True
    lively = np.where(np.arange(200) > 72 + 40, 1.0, 0.1)[None, :, None]
    frames = []
    for _ in range(4):
        values = 1.0 + lively * rng.standard_normal((96, 200, 3))
        frames.append(Frame(values, values, hole, Transfer.SCENE_LINEAR))
    for told in figures(frames)["channels"].values():
        assert told["ratio"]["total"] == pytest.approx(1.0, rel=0.1)


def test_a_hole_without_room_is_refused() -> None:
    """There is nothing to take a spectrum of."""
    small = np.zeros(SHAPE, bool)
    small[40:50, 40:50] = True
    frames = [Frame(f.result, f.plate, small, f.transfer) for f in shot(lambda g, _: g)]
    with pytest.raises(ValueError, match="inside the hole are 0 squares"):
        figures(frames)


def test_the_truth_of_the_made_plate_is_right(tmp_path: Path) -> None:
    """Read from its files, blurred grain and all."""
    write_grainy(tmp_path, Grainy())
    truth, plate, matte = (str(tmp_path / kind) for kind in ("truth", "plate", "matte"))
    source = Source(truth, plate, matte)
    assert figures(frames_of(source))["within_a_quarter"]
    with pytest.raises(ValueError, match="take 40 pixels out of a frame of 96"):
        write_grainy(tmp_path, Grainy(frames=24))


@pytest.mark.slow
def test_a_made_plate_from_end_to_end(tmp_path: Path) -> None:
    """Made, rendered by the command with hardly a step, and measured."""
    tiny = {
        "intervals": "1", "steps_per_interval": "1", "sampling_steps": "1", "channels": "4",
        "detail_intervals": "1", "detail_steps_per_interval": "1", "detail_sampling_steps": "1",
        "crop_pixels": "16", "window_frames": "3",
    }  # fmt: skip
    found = made(Rendering(settings=tiny), tmp_path)
    assert set(found["channels"]) == {"R", "G", "B"}
    assert found["channels"]["B"]["deviation"]["outside"] == pytest.approx(0.025, rel=0.2)
    assert (tmp_path / "contact.png").is_file()
