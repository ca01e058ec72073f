"""Tests of the Frechet video distance with networks whose features are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.linalg import sqrtm

from infusion_engine.errors import InputError, UsageError
from infusion_engine.evaluate.frechet import FrechetFigures, FrechetTally

Clip = npt.NDArray[np.float32]


def _noise(frames: int, seed: int) -> Clip:
    values = np.random.default_rng(seed).uniform(0, 0.5, (frames, 4, 4, 3))
    return values.astype(np.float32)


def _figures(
    network: Path, result: Clip, truth: Clip, length: int = 2, holes: Clip | None = None
) -> FrechetFigures:
    tally = FrechetTally(network, length)
    touched = np.ones(result.shape[:3], np.bool_) if holes is None else holes > 0
    for filled, true, hole in zip(result, truth, touched, strict=True):
        tally.add(filled, true, hole)
    return tally.figures()


def _windows(clip: Clip, length: int) -> npt.NDArray[np.float64]:
    """(windows, 3): mean of each colour over each run of `length` frames."""
    starts = range(len(clip) - length + 1)
    return np.stack([clip[t : t + length].mean((0, 1, 2), dtype=np.float64) for t in starts])


def test_it_is_the_distance_of_two_gaussians(means: Path) -> None:
    """Against scipy's matrix root of the product of covariances, over all windows."""
    truth, result = _noise(20, 1), 0.6 * _noise(20, 2) + np.float32(0.1)
    a, b = _windows(result, 3), _windows(truth, 3)
    ca, cb = np.cov(a.T), np.cov(b.T)
    trace = np.trace(ca + cb - 2 * np.real(sqrtm(ca @ cb)))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + trace
    found = _figures(means, result, truth, length=3)
    assert found.fvd == pytest.approx(expected, rel=1e-4)
    assert (found.fvd_windows, found.fvd_features) == (18, 3)


def test_a_constant_shift_is_the_square_of_its_length(means: Path) -> None:
    """The same spread somewhere else leaves the means' distance alone: 3 x 0.1^2."""
    truth = _noise(12, 1)
    assert _figures(means, truth + np.float32(0.1), truth).fvd == pytest.approx(0.03, rel=1e-4)


def test_the_truth_has_no_distance_to_itself(means: Path) -> None:
    """Zero but for rounding, and never below, also with fewer windows than features."""
    found = _figures(means, _noise(3, 1), _noise(3, 1)).fvd
    assert found is not None
    assert 0.0 <= found < 1e-9


def test_windows_that_touch_no_hole_are_left_out(means: Path) -> None:
    """With a hole in the last frame alone, only the last window counts."""
    holes = np.zeros((9, 4, 4), np.float32)
    holes[8, 0, 0] = 1.0
    found = _figures(means, _noise(9, 1), _noise(9, 2), holes=holes)
    assert (found.fvd, found.fvd_windows) == (None, 1)


def test_too_few_windows_are_said(means: Path) -> None:
    """Three windows cannot tell the covariance of three features; four can."""
    few, enough = (_figures(means, _noise(n, 1), _noise(n, 2)) for n in (4, 5))
    assert "3 windows are too few for 3 features" in (few.shortage() or "")
    assert few.fvd is not None
    assert enough.shortage() is None
    none = _figures(means, _noise(2, 1), _noise(2, 2))
    assert none.fvd is None
    assert "needs two" in (none.shortage() or "")


def test_a_network_that_is_absent_or_no_script_is_named(tmp_path: Path) -> None:
    """The message says which file, and how one is made."""
    with pytest.raises(InputError, match=r"nowhere\.pt is not there.*nothing is downloaded"):
        FrechetTally(tmp_path / "nowhere.pt", 16)
    other = tmp_path / "text.pt"
    other.write_text("no network")
    with pytest.raises(InputError, match=r"text\.pt is no TorchScript file"):
        FrechetTally(other, 16)


class _Flat(torch.nn.Module):
    """Gives no row of features."""

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        return window.mean((0, 2, 3, 4))


class _Reshaping(torch.nn.Module):
    """Takes windows of five frames alone."""

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        return window.reshape(1, 3 * 5 * 16)


class _Lost(torch.nn.Module):
    """Divides nothing by nothing."""

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        return 0.0 * window.mean((2, 3, 4)) / 0.0


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        (_Flat(), r"gave \(3,\), expected finite features of shape \(1, D\)"),
        (_Lost(), r"gave \(1, 3\), expected finite"),
        (_Reshaping(), r"failed on a window of \(1, 3, 2, 4, 4\)"),
    ],
)
def test_a_network_that_breaks_the_agreement_is_told_so(
    script: Callable[[torch.nn.Module], Path], network: torch.nn.Module, complaint: str
) -> None:
    """What it gave stands beside what was expected."""
    with pytest.raises(InputError, match=complaint):
        _figures(script(network), _noise(4, 1), _noise(4, 2))


def test_a_window_has_one_frame_at_least(means: Path) -> None:
    """Nothing is not a length."""
    with pytest.raises(UsageError, match="found 0, expected 1 or more"):
        FrechetTally(means, 0)
