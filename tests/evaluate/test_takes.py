"""Tests of diversity and calibration on takes whose distribution is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from infusion_engine.evaluate.takes import TakeFigures, TakeTally

Takes = npt.NDArray[np.float32]


def _draws(count: int, deviation: float, seed: int, shift: float = 0.0) -> Takes:
    """(count, 6, 40, 40, 3) of normal values around 0.5."""
    values = np.random.default_rng(seed).normal(0.5 + shift, deviation, (count, 6, 40, 40, 3))
    return values.astype(np.float32)


def _figures(takes: Takes, truth: Takes, hole: npt.NDArray[np.bool_] | None = None) -> TakeFigures:
    """Of takes (N, T, H, W, 3) and the truth (T, H, W, 3)."""
    tally = TakeTally()
    everywhere = np.ones(truth.shape[1:3], np.bool_) if hole is None else hole
    for frame in range(len(truth)):
        tally.add(iter(takes[:, frame]), truth[frame], everywhere)
    return tally.figures()


@pytest.mark.parametrize("count", [2, 3, 10])
def test_draws_from_the_truths_own_distribution_are_calibrated(count: int) -> None:
    """The ratio is 1 for any number of takes, because the mean's own error is allowed for."""
    found = _figures(_draws(count, 0.1, 1), _draws(1, 0.1, 2)[0])
    assert found.takes == count
    assert found.calibration == pytest.approx(1.0, abs=0.03)


def test_takes_too_alike_score_below_1_and_too_wild_above() -> None:
    """With N takes of deviation s about the truth's own mean: s^2 (1 + 1/N) / (d^2 + s^2 / N)."""
    truth = _draws(1, 0.1, 2)[0]
    for deviation in (0.05, 0.15):
        s, d, n = deviation**2, 0.1**2, 5
        found = _figures(_draws(n, deviation, 1), truth).calibration
        assert found == pytest.approx(s * (1 + 1 / n) / (d + s / n), rel=0.03)


def test_takes_that_are_wrong_together_score_below_1() -> None:
    """A mean off by the deviation doubles the error, nearly."""
    found = _figures(_draws(50, 0.1, 1, shift=0.1), _draws(1, 0.1, 2)[0]).calibration
    assert found == pytest.approx(1.02 / 2.02, rel=0.03)


def test_diversity_is_the_mean_deviation_over_that_of_the_truth() -> None:
    """By numpy on whole arrays, and in the hole alone with the truth's deviation in the hole."""
    takes, truth = _draws(4, 0.1, 1), _draws(1, 0.1, 2)[0]
    truth[:, 20:] *= np.float32(0.5)
    takes[:, :, 20:] = truth[:, 20:]
    hole = np.zeros((40, 40), np.bool_)
    hole[:20] = True
    found = _figures(takes, truth, hole)
    deviation = takes.astype(np.float64).std(axis=0)
    assert found.diversity == pytest.approx(
        deviation.mean() / truth.std(dtype=np.float64), rel=1e-5
    )
    inside = deviation[:, :20].mean() / truth[:, :20].std(dtype=np.float64)
    assert found.diversity_hole == pytest.approx(inside, rel=1e-5)


def test_known_pixels_do_not_count_for_the_hole() -> None:
    """Whatever differs outside the hole changes the whole frame's diversity alone."""
    takes, truth = _draws(3, 0.1, 1), _draws(1, 0.1, 2)[0]
    hole = np.zeros((40, 40), np.bool_)
    hole[:20] = True
    before = _figures(takes, truth, hole)
    takes[:, :, 20:] = truth[:, 20:]
    after = _figures(takes, truth, hole)
    assert (after.diversity_hole, after.calibration) == (before.diversity_hole, before.calibration)
    assert after.diversity is not None
    assert before.diversity is not None
    assert after.diversity < before.diversity


def test_one_take_twice_has_no_diversity() -> None:
    """Nothing differs, and a sampler that always gives the same is not calibrated."""
    take, truth = _draws(1, 0.1, 1), _draws(1, 0.1, 2)[0]
    found = _figures(np.repeat(take, 2, axis=0), truth)
    assert (found.diversity, found.diversity_hole, found.calibration) == (0.0, 0.0, 0.0)


def test_where_there_is_nothing_to_divide_by_nothing_is_told() -> None:
    """A flat truth has no deviation, no hole no pixels, and the truth itself no error."""
    flat = np.full((6, 40, 40, 3), 0.3, np.float32)
    assert _figures(_draws(2, 0.1, 1), flat).diversity is None
    truth = _draws(1, 0.1, 2)[0]
    empty = _figures(_draws(2, 0.1, 1), truth, np.zeros((40, 40), np.bool_))
    assert (empty.diversity_hole, empty.calibration) == (None, None)
    assert empty.diversity is not None
    assert _figures(np.stack([truth, truth]), truth).calibration is None
