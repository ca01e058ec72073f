"""Tests of PSNR and SSIM in 8 bits, against formulas worked by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from infusion_engine.evaluate.protocol import ProtocolFigures, ProtocolTally

Values = npt.NDArray[np.float32]
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def _frame(side: int, seed: int) -> Values:
    """(side, side, 3) of exact 8-bit codes."""
    codes = np.random.default_rng(seed).integers(0, 256, (side, side, 3))
    return (codes / 255.0).astype(np.float32)


def _hole(side: int) -> npt.NDArray[np.bool_]:
    hole = np.zeros((side, side), np.bool_)
    hole[side // 2, side // 2] = True
    return hole


def _figures(*pairs: tuple[Values, Values, npt.NDArray[np.bool_]]) -> ProtocolFigures:
    tally = ProtocolTally()
    for result, truth, hole in pairs:
        tally.add(result, truth, hole)
    return tally.figures()


def _ssim(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], w: Values, unbias: float
) -> float:
    """SSIM of one window with weights `w` that sum to 1, mean over colours."""
    per_colour = []
    for c in range(3):
        x, y = a[..., c], b[..., c]
        mx, my = (w * x).sum(), (w * y).sum()
        vx, vy = unbias * (w * (x - mx) ** 2).sum(), unbias * (w * (y - my) ** 2).sum()
        cov = unbias * (w * (x - mx) * (y - my)).sum()
        luminance = (2 * mx * my + C1) / (mx**2 + my**2 + C1)
        per_colour.append(luminance * (2 * cov + C2) / (vx + vy + C2))
    return float(np.mean(per_colour))


def test_psnr_is_the_mean_of_each_frames_decibels() -> None:
    """51 codes off on one frame and 4.6, so 5, on the next: the mean of dB, not of errors."""
    truth = np.full((12, 12, 3), 100 / 255, np.float32)
    far, near = truth + np.float32(0.2), truth + np.float32(0.018)
    found = _figures((far, truth, _hole(12)), (near, truth, _hole(12))).psnr_8bit
    one, other = (20 * np.log10(255 / codes) for codes in (51, 5))
    assert found == pytest.approx((one + other) / 2, abs=1e-4)


def test_the_fields_window_is_65_pixels_and_uniform() -> None:
    """A frame of 65 by 65 holds one window: its sample variances are those of all its pixels."""
    a, b = _frame(65, 1), _frame(65, 2)
    b = np.rint((0.5 * a + 0.5 * b) * 255).astype(np.float32) / np.float32(255)
    found = _figures((a, b, _hole(65))).ssim_8bit
    x, y = np.rint(a * 255.0).astype(np.float64), np.rint(b * 255.0).astype(np.float64)
    flat = np.full((65, 65), 1 / 65**2)
    assert found == pytest.approx(_ssim(x, y, flat, 65**2 / (65**2 - 1)), abs=1e-6)


def test_the_holes_window_is_wangs_gaussian() -> None:
    """At the one pixel of a hole SSIM is that of an 11 by 11 Gaussian window around it."""
    a, b = _frame(40, 3), _frame(40, 4)
    b = np.rint((0.7 * a + 0.3 * b) * 255).astype(np.float32) / np.float32(255)
    found = _figures((a, b, _hole(40))).ssim_hole
    window = np.s_[15:26, 15:26]
    x, y = (np.rint(v[window] * 255.0).astype(np.float64) for v in (a, b))
    g = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    w = np.outer(g, g) / g.sum() ** 2
    assert found == pytest.approx(_ssim(x, y, w, 1.0), abs=1e-6)


def test_the_holes_ssim_does_not_look_at_what_is_far_from_it() -> None:
    """More than five pixels from the hole nothing changes it; whole frames see everything."""
    a, b, hole = _frame(80, 5), _frame(80, 6), _hole(80)
    changed = a.copy()
    changed[:30] = 0.0
    one, other = _figures((a, b, hole)), _figures((changed, b, hole))
    assert one.ssim_hole == other.ssim_hole
    assert one.ssim_8bit != other.ssim_8bit
    assert one.psnr_8bit != other.psnr_8bit


def test_large_holes_count_more_than_small_ones() -> None:
    """`ssim_hole` is a mean over pixels of all holes: one spoilt pixel of 101 weighs little."""
    truth, spoilt = _frame(40, 7), _frame(40, 8)
    large = np.zeros((40, 40), np.bool_)
    large[10:20, 10:20] = True
    both = _figures((truth, truth, large), (spoilt, truth, _hole(40))).ssim_hole
    alone = _figures((spoilt, truth, _hole(40))).ssim_hole
    assert both is not None
    assert alone is not None
    assert both == pytest.approx((100 + alone) / 101, abs=1e-9)


def test_frames_without_a_hole_are_left_out() -> None:
    """They are the truth whatever the method; alone they leave nothing to tell."""
    a, b, nothing = _frame(65, 1), _frame(65, 2), np.zeros((65, 65), np.bool_)
    assert _figures((a, b, _hole(65)), (b, b, nothing)) == _figures((a, b, _hole(65)))
    assert _figures((b, b, nothing)) == ProtocolFigures(None, None, None)


def test_the_truth_itself_scores_120_1_1() -> None:
    """The highest that is told."""
    a = _frame(70, 1)
    found = _figures((a, a, _hole(70)))
    assert found.psnr_8bit == 120.0
    assert found.ssim_8bit == pytest.approx(1.0)
    assert found.ssim_hole == pytest.approx(1.0)


@pytest.mark.parametrize(("side", "whole", "hole"), [(64, False, True), (10, False, False)])
def test_a_frame_smaller_than_a_window_has_no_ssim(side: int, *, whole: bool, hole: bool) -> None:
    """PSNR is still told, and SSIM only where its window fits."""
    found = _figures((_frame(side, 1), _frame(side, 2), _hole(side)))
    assert found.psnr_8bit is not None
    assert (found.ssim_8bit is not None, found.ssim_hole is not None) == (whole, hole)
