"""The figures that say how good a fill is, gathered frame by frame so that memory stays flat.

    psnr_hole   how near the fill is to the truth, in dB over the hole   more is better
    psnr_full   the same over whole frames, the known pixels too         more is better
    detail      spatial gradient energy in the hole, fill over truth     1 is right, less is blur
    motion      temporal gradient energy in the hole, fill over truth    1 is right, less is frozen
    outside     largest difference outside it, in the files' own values  must be 0

With d the display values (see `media.display`) and h the hole, gradient energies are

    detail      sum of (d[y, x] - d[y, x - 1])^2 and (d[y, x] - d[y - 1, x])^2
    motion      sum of (d[t, y, x] - d[t - 1, y, x])^2

over the pairs whose both pixels lie in the hole, so that the seam with the known pixels, which are
the truth's anyway, does not count. A texture that is right but not the same one has a low
`psnr_hole` and ratios near 1: for dynamic texture the ratios say more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]

NOTHING_TO_TELL = 1e-12
"""Mean squared error at which PSNR stops, at 120 dB: display values in float32 tell no more."""


@dataclass(frozen=True)
class Figures:
    """How a result compares with the truth; None where there is nothing to compare."""

    frames: int
    """Frames compared."""
    hole_pixels: int
    """Pixels of the hole over all frames."""
    psnr_hole: float | None
    """dB over the hole, display values, peak 1; at most 120. None without a hole."""
    psnr_full: float | None
    """dB over all pixels of all frames, peak 1; at most 120. None without a frame."""
    detail: float | None
    """Spatial gradient energy in the hole, result / truth. None where the truth has none."""
    motion: float | None
    """Temporal gradient energy in the hole, result / truth. None where the truth has none."""
    outside: float
    """Largest absolute difference outside the hole, in the files' values (integers: 0..1)."""


@dataclass
class _Energies:
    """Sums over the frames so far, for one of the two sequences."""

    detail: float = 0.0
    motion: float = 0.0


class Tally:
    """Gathers `Figures` from frames that are given in order, one after the other."""

    def __init__(self) -> None:
        self._frames = 0
        self._hole_pixels = 0
        self._pixels = 0
        self._squared, self._squared_hole = 0.0, 0.0
        self._outside = 0.0
        self._result, self._truth = _Energies(), _Energies()
        self._before: tuple[Values, Values, npt.NDArray[np.bool_]] | None = None

    def add(
        self, result: Values, truth: Values, hole: npt.NDArray[np.bool_], *, outside: float
    ) -> None:
        """Take in the next frame.

        `result` and `truth` are (H, W, C) display values in [0, 1], `hole` is (H, W) and True where
        something was replaced; `outside` is what `largest_difference` found in the files' values.
        """
        self._frames += 1
        self._hole_pixels += int(hole.sum())
        self._outside = max(self._outside, outside)
        self._pixels += hole.size
        squared = ((result.astype(np.float64) - truth) ** 2).mean(-1)
        self._squared += float(squared.sum())
        self._squared_hole += float(squared[hole].sum())
        for values, energies in ((result, self._result), (truth, self._truth)):
            energies.detail += _energy(values[:, 1:], values[:, :-1], hole[:, 1:] & hole[:, :-1])
            energies.detail += _energy(values[1:], values[:-1], hole[1:] & hole[:-1])
        if self._before is not None:
            result_before, truth_before, hole_before = self._before
            both = hole & hole_before
            self._result.motion += _energy(result, result_before, both)
            self._truth.motion += _energy(truth, truth_before, both)
        self._before = (result, truth, hole)

    def figures(self) -> Figures:
        """What the frames so far amount to."""
        return Figures(
            frames=self._frames,
            hole_pixels=self._hole_pixels,
            psnr_hole=_decibels(self._squared_hole, self._hole_pixels),
            psnr_full=_decibels(self._squared, self._pixels),
            detail=_ratio(self._result.detail, self._truth.detail),
            motion=_ratio(self._result.motion, self._truth.motion),
            outside=self._outside,
        )


def largest_difference(
    result: np.ndarray, truth: np.ndarray, outside: npt.NDArray[np.bool_]
) -> float:
    """Largest absolute difference over the True pixels of `outside` (H, W); 0 where there are none.

    `result` and `truth` are (H, W, C) in the files' own type; integers count in parts of their full
    scale. The same NaN or infinity on both sides is no difference; on one alone it is infinite.
    """
    scale = np.iinfo(truth.dtype).max if truth.dtype.kind in "ui" else 1
    a, b = result[outside].astype(np.float64), truth[outside].astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore"):
        distance = np.abs(a - b)[~same] / scale
    return float(np.nan_to_num(distance, nan=np.inf, posinf=np.inf).max())


def _energy(one: Values, other: Values, where: npt.NDArray[np.bool_]) -> float:
    """Sum of squared differences over the True pixels of `where`."""
    return float(((one[where].astype(np.float64) - other[where]) ** 2).sum())


def _decibels(squared: float, pixels: int) -> float | None:
    """PSNR of a sum of squared errors over `pixels`, peak 1; None where there are none."""
    return -10.0 * math.log10(max(squared / pixels, NOTHING_TO_TELL)) if pixels else None


def _ratio(result: float, truth: float) -> float | None:
    return result / truth if truth > 0.0 else None
