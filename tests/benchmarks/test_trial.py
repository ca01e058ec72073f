"""Trials: poison under the matte and nowhere else, and a word where a clip cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.trial import FRAMES, HOLE, SIDE, Trial, make_trial


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three frames of grey and green noise, without a trace of magenta."""
    folder = tmp_path / "weeds"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for index in range(3):
        green = rng.integers(90, 120, (200, 240, 1))
        pixels = np.concatenate([green - 50, green, green - 60], axis=2).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"a.{index}.png")
    return folder


def frames(folder: Path) -> np.ndarray:
    """(T, H, W, ...) uint8 of a folder's pictures."""
    return np.stack([np.asarray(Image.open(f)) for f in sorted(folder.iterdir())])


def test_poison_is_under_the_matte_and_nowhere_else(clip: Path, tmp_path: Path) -> None:
    """Outside the plate is the truth bit for bit; inside every pixel is magenta, none the truth."""
    trial = make_trial(clip, tmp_path / "trial")

    plate, truth, matte = (frames(f) for f in (trial.plate, trial.truth, trial.matte))
    hole = matte == 255
    assert set(np.unique(matte)) == {0, 255}
    assert hole.sum() == 3 * HOLE * HOLE
    np.testing.assert_array_equal(plate[~hole], truth[~hole])
    red, green, blue = plate[hole].T
    assert (green == 0).all()
    assert min(red.min(), blue.min()) >= 128
    assert truth[..., 1].min() > 0  # the truth has none of it


def test_the_truth_is_the_clip_halved(clip: Path, tmp_path: Path) -> None:
    """Each pixel is the mean of four of the clip's middle, as near as 8 bits come."""
    trial = make_trial(clip, tmp_path / "trial")

    truth = frames(trial.truth)
    middle = frames(clip)[:, 4:196, 24:216].astype(float)
    means = middle.reshape(3, SIDE, 2, SIDE, 2, 3).mean((2, 4))
    assert truth.shape == (3, SIDE, SIDE, 3)
    assert np.abs(truth - means).max() <= 0.75
    root = tmp_path / "trial"
    assert trial == Trial("weeds", root / "plate", root / "matte", root / "truth", 3)


def test_the_clip_is_left_as_it_was(clip: Path, tmp_path: Path) -> None:
    """Nothing is written beside the footage, nor into it."""
    before = {f.name: f.read_bytes() for f in clip.iterdir()}

    make_trial(clip, tmp_path / "trial")

    assert {f.name: f.read_bytes() for f in clip.iterdir()} == before


def test_a_folder_with_a_plate_is_a_clip(clip: Path, tmp_path: Path) -> None:
    """The pictures of `plate` are taken, and those beside it are not."""
    shot = tmp_path / "shot"
    shot.mkdir()
    clip.rename(shot / "plate")

    assert make_trial(shot, tmp_path / "trial").name == "shot"
    assert len(list((tmp_path / "trial" / "truth").iterdir())) == 3


def test_a_long_clip_is_cut(clip: Path, tmp_path: Path) -> None:
    """The first frames, by name, as many as a trial has."""
    for index in range(3, FRAMES + 5):
        (clip / f"a.{index:03d}.png").write_bytes((clip / "a.0.png").read_bytes())

    assert make_trial(clip, tmp_path / "trial").frames == FRAMES


def test_small_pictures_are_refused(clip: Path, tmp_path: Path) -> None:
    """The message names the file, its size and the size that is needed."""
    Image.new("RGB", (191, 300)).save(clip / "a.0.png")

    with pytest.raises(ValueError, match=r"a\.0\.png: 191x300, expected 192 each way"):
        make_trial(clip, tmp_path / "trial")


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    """The message names the folder and what it could have held."""
    (tmp_path / "notes.txt").write_text("nothing to see")

    with pytest.raises(ValueError, match=r"no pictures \(expected \.png"):
        make_trial(tmp_path, tmp_path / "trial")
