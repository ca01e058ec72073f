"""Tests of the figures on arrays whose figures are known on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from infusion_engine.evaluate.figures import Figures, Tally, largest_difference

Clip = npt.NDArray[np.float32]


def _clip(frames: int = 4) -> Clip:
    """(T, 12, 10, 3) random display values between 0.3 and 0.5."""
    values = np.random.default_rng(1).uniform(0.3, 0.5, (frames, 12, 10, 3))
    return values.astype(np.float32)


def _hole() -> npt.NDArray[np.bool_]:
    hole = np.zeros((12, 10), np.bool_)
    hole[3:9, 2:7] = True
    return hole


def _figures(result: Clip, truth: Clip, hole: npt.NDArray[np.bool_] | None = None) -> Figures:
    tally = Tally()
    for filled, true in zip(result, truth, strict=True):
        tally.add(filled, true, _hole() if hole is None else hole, outside=0.0)
    return tally.figures()


def test_psnr_is_taken_over_the_hole_alone() -> None:
    """A tenth off everywhere in the hole is 20 dB, whatever stands outside it."""
    truth = _clip()
    result = truth.copy()
    result[:, _hole()] += np.float32(0.1)
    result[:, 0, 0] = 1.0
    figures = _figures(result, truth)
    assert figures.psnr_hole == pytest.approx(20.0, abs=1e-4)
    assert figures.hole_pixels == 4 * 30


def test_full_psnr_is_taken_over_every_pixel_of_every_frame() -> None:
    """Errors are averaged before they become dB: a fifth off in one frame of four is 20 dB."""
    truth = _clip()
    result = truth.copy()
    result[2] += np.float32(0.2)
    assert _figures(result, truth).psnr_full == pytest.approx(20.0, abs=1e-4)


def test_a_perfect_fill_scores_120_1_1() -> None:
    """The truth against itself has the highest PSNR that is told, and ratios of exactly 1."""
    figures = _figures(_clip(), _clip())
    assert figures.psnr_full == 120.0
    assert (figures.psnr_hole, figures.detail, figures.motion) == (120.0, 1.0, 1.0)


def test_half_the_contrast_has_a_quarter_of_the_energy() -> None:
    """Gradient energies go with the square of the contrast, in space and in time."""
    truth = _clip()
    figures = _figures(0.4 + 0.5 * (truth - 0.4), truth)
    assert figures.detail == pytest.approx(0.25, rel=1e-4)
    assert figures.motion == pytest.approx(0.25, rel=1e-4)


def test_a_frozen_fill_has_detail_but_no_motion() -> None:
    """The first frame held keeps its spatial gradients and has no temporal ones."""
    truth = _clip()
    figures = _figures(np.repeat(truth[:1], 4, axis=0), truth)
    assert figures.motion == 0.0
    assert figures.detail is not None
    assert 0.7 < figures.detail < 1.4


def test_a_blurred_fill_has_motion_without_detail() -> None:
    """Flat frames that change from one to the next have temporal gradients only."""
    truth = _clip()
    figures = _figures(np.broadcast_to(truth.mean((1, 2), keepdims=True), truth.shape), truth)
    assert figures.detail == 0.0
    assert figures.motion is not None
    assert figures.motion > 0.0


def test_the_seam_and_the_outside_do_not_count() -> None:
    """Changing known pixels, those next to the hole among them, changes `psnr_full` alone."""
    truth = _clip()
    result = 0.4 + 0.9 * (truth - 0.4)
    changed = result.copy()
    changed[:, ~_hole()] = 0.0
    before, after = _figures(result, truth), _figures(changed, truth)
    assert after.psnr_full != before.psnr_full
    assert replace(after, psnr_full=before.psnr_full) == before


def test_only_pixels_in_the_hole_of_both_frames_move() -> None:
    """Where the hole moves on, a pixel counts only while it stays inside."""
    truth, result = _clip(2), _clip(2)
    first, second = np.zeros((2, 12, 10), np.bool_)
    first[2, 2], second[2, 2], second[5, 5] = True, True, True
    result[1, 5, 5] = 0.9  # in the hole of the second frame alone
    tally = Tally()
    tally.add(result[0], truth[0], first, outside=0.0)
    tally.add(result[1], truth[1], second, outside=0.0)
    assert tally.figures().motion == 1.0


def test_without_a_hole_there_is_nothing_to_tell() -> None:
    """An empty matte leaves PSNR and the ratios undefined and still says what changed outside."""
    tally = Tally()
    tally.add(_clip()[0], _clip()[0], np.zeros((12, 10), np.bool_), outside=0.25)
    figures = tally.figures()
    assert (figures.psnr_hole, figures.detail, figures.motion) == (None, None, None)
    assert (figures.outside, figures.hole_pixels) == (0.25, 0)


def test_the_largest_outside_difference_of_all_frames_is_kept() -> None:
    """One bad frame among good ones shows."""
    tally = Tally()
    for outside in (0.0, 0.5, 0.125):
        tally.add(_clip()[0], _clip()[0], _hole(), outside=outside)
    assert tally.figures().outside == 0.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_same_nan_and_infinity_are_no_difference(dtype: type) -> None:
    """A plate's NaN and infinities passed through count as equal."""
    odd: np.ndarray = np.array([[[np.nan, np.inf, -np.inf]]], dtype)
    assert largest_difference(odd, odd.copy(), np.ones((1, 1), np.bool_)) == 0.0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_infinity_that_got_lost_is_an_infinite_difference(value: float) -> None:
    """Whatever replaces an infinity outside the hole is the worst that can happen."""
    truth = np.full((1, 1, 3), -np.inf, np.float32)
    result = np.full((1, 1, 3), value, np.float32)
    assert largest_difference(result, truth, np.ones((1, 1), np.bool_)) == np.inf


def test_integers_differ_in_parts_of_full_scale() -> None:
    """One code value of 8 bits is 1/255, and unsigned numbers do not wrap around."""
    truth = np.full((2, 2, 3), 7, np.uint8)
    result = truth.copy()
    result[1, 1] = 6
    everywhere = np.ones((2, 2), np.bool_)
    assert largest_difference(result, truth, everywhere) == pytest.approx(1 / 255)
    everywhere[1, 1] = False
    assert largest_difference(result, truth, everywhere) == 0.0
