"""Tests of the sliced Wasserstein distance between space-time patches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import wasserstein_distance

from infusion_engine.evaluate import patches
from infusion_engine.evaluate.patches import PatchTally, centre_count

Clip = npt.NDArray[np.float32]
Holes = npt.NDArray[np.bool_]


def _noise(frames: int, side: int, seed: int = 0) -> Clip:
    values = np.random.default_rng(seed).uniform(0, 1, (frames, side, side, 3))
    return values.astype(np.float32)


def _distance(result: Clip, truth: Clip, holes: Holes) -> float | None:
    tally = PatchTally([centre_count(hole) for hole in holes])
    for filled, true, hole in zip(result, truth, holes, strict=True):
        tally.add(filled, true, hole)
    return tally.distance()


def test_it_is_the_wasserstein_distance_along_each_direction() -> None:
    """Against scipy's own distance of every patch around a moving hole, patch by patch."""
    truth, result = _noise(5, 14, 1), 0.5 * _noise(5, 14, 2)
    holes = np.zeros((5, 14, 14), np.bool_)
    for t in range(5):
        holes[t, 4 + t : 8 + t, 1:6] = True  # partly too near the edge for a patch
    centres = [(t, y, x) for t, y, x in np.argwhere(holes) if 1 <= t < 4 and 3 <= y < 11 and x > 2]
    rng = np.random.default_rng(0)
    rng.permutation(len(centres))
    directions = rng.standard_normal((441, 256))
    directions /= np.linalg.norm(directions, axis=0)

    def project(clip: Clip) -> npt.NDArray[np.float64]:
        cut = [clip[t - 1 : t + 2, y - 3 : y + 4, x - 3 : x + 4] for t, y, x in centres]
        return np.stack([p.transpose(3, 0, 1, 2).ravel() for p in cut]) @ directions

    pairs = zip(project(result).T, project(truth).T, strict=True)
    expected = 1000 * np.mean([wasserstein_distance(a, b) for a, b in pairs])
    assert _distance(result, truth, holes) == pytest.approx(expected, rel=1e-5)


def test_sets_are_compared_and_not_places() -> None:
    """The same texture elsewhere scores far better than its own mean, which has more dB."""
    truth, holes = _noise(5, 40), np.ones((5, 40, 40), np.bool_)
    moved = np.roll(truth, (11, 7), axis=(1, 2))
    near, far = _distance(moved, truth, holes), _distance(np.full_like(truth, 0.5), truth, holes)
    assert near is not None
    assert far is not None
    assert near < 0.1 * far


def test_dynamics_count() -> None:
    """A held frame of moving noise has the right texture and is still told apart."""
    truth, holes = _noise(6, 40), np.ones((6, 40, 40), np.bool_)
    held, moved = np.repeat(truth[:1], 6, axis=0), np.roll(truth, 9, axis=1)
    near, far = _distance(moved, truth, holes), _distance(held, truth, holes)
    assert near is not None
    assert far is not None
    assert near < 0.5 * far


def test_what_no_patch_of_a_hole_touches_does_not_count() -> None:
    """Four pixels from the hole nothing changes the figure; three pixels from it, it does."""
    truth, result, holes = _noise(3, 21, 1), _noise(3, 21, 2), np.zeros((3, 21, 21), np.bool_)
    holes[1, 10, 10] = True
    before = _distance(result, truth, holes)
    result[:, 6] = 0.0
    assert _distance(result, truth, holes) == before
    result[:, 7] = 0.0
    assert _distance(result, truth, holes) != before


def test_the_truth_has_no_distance_to_itself() -> None:
    """Zero, whatever the hole."""
    assert _distance(_noise(3, 12), _noise(3, 12), np.ones((3, 12, 12), np.bool_)) == 0.0


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_without_a_whole_patch_there_is_nothing_to_tell(frames: int) -> None:
    """Holes in the first and last frame or at the edge, and clips too short, have no figure."""
    holes = np.zeros((frames, 12, 12), np.bool_)
    holes[[0, -1]] = True
    holes[:, :3] = True
    assert _distance(_noise(frames, 12), _noise(frames, 12), holes) is None
    small = np.ones((frames, 6, 6), np.bool_)
    assert _distance(_noise(frames, 6), _noise(frames, 6), small) is None


def test_no_more_patches_are_kept_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more centres some are drawn, from every frame, and the figure stays near that of all."""
    truth, result = _noise(8, 30, 1), 0.5 * _noise(8, 30, 2)
    holes = np.ones((8, 30, 30), np.bool_)
    whole = _distance(result, truth, holes)
    monkeypatch.setattr(patches, "MOST", 600)
    tally = PatchTally([centre_count(hole) for hole in holes])
    assert tally._result.shape == tally._truth.shape == (256, 600)
    frames = np.unique(np.searchsorted(tally._first, tally._drawn, side="right") - 1)
    assert frames.tolist() == [1, 2, 3, 4, 5, 6]
    some = _distance(result, truth, holes)
    assert some != whole
    assert some == pytest.approx(whole, rel=0.1)
