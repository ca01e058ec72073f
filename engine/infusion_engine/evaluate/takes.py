"""What several takes of one shot say together: how they differ, and whether by the right amount.

    diversity        deviation over takes, mean over all pixels, / deviation of the truth's values
    diversity_hole   the same, over the pixels of the hole on both sides of the fraction
    calibration      variance over takes (1 + 1/N) / squared error of their mean, in the hole

All in display values, each colour by itself. `diversity` is that of SinGAN (Shaham, Dekel and
Michaeli, ICCV 2019): deviations over takes are those of numpy's `std`, divided by N and not N - 1.
Known pixels do not differ, so that it grows with the hole; `diversity_hole` does not.

A calibrated sampler draws from the very distribution that the truth was drawn from: with N takes
s_1 ... s_N, their mean m and the truth x,

    E |m - x|^2 = V (1 + 1/N)        V estimated by the sum of |s_i - m|^2 / (N - 1)

because x is as far from the distribution's mean as any take, and m misses that mean by V / N. So
`calibration` is 1 for a calibrated sampler, less where takes are too alike or wrong together, more
where they differ too much. It needs two takes; the more, the steadier.

One frame of one take is held at a time, beside two sums of a frame's size: memory grows neither
with frames nor with takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infusion_engine.evaluate.figures import Values


@dataclass(frozen=True)
class TakeFigures:
    """What takes say together; None where there is nothing to divide by."""

    takes: int
    """N, the result itself among them; two or more."""
    diversity: float | None
    """Over all pixels, 0 or more. None where the truth is one flat value."""
    diversity_hole: float | None
    """Over the pixels of the hole. None without a hole, or where the truth is flat in it."""
    calibration: float | None
    """1 for a calibrated sampler. None without a hole, or where the mean of takes is the truth."""


@dataclass
class _Deviations:
    """Sums over the truth's values, and over the deviations of takes."""

    count: int = 0
    deviation: float = 0.0
    value: float = 0.0
    square: float = 0.0

    def add(self, deviation: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> None:
        """Take in values of any shape; `truth` in [0, 1]."""
        self.count += truth.size
        self.deviation += float(deviation.sum())
        self.value += float((truth - 0.5).sum())  # about the middle, where squares lose least
        self.square += float(((truth - 0.5) ** 2).sum())

    def diversity(self) -> float | None:
        """Mean deviation of takes over the deviation of the truth's values."""
        if not self.count:
            return None
        variance = self.square / self.count - (self.value / self.count) ** 2
        if variance <= 1e-12:  # nothing but rounding
            return None
        return self.deviation / self.count / math.sqrt(variance)


class TakeTally:
    """Gathers `TakeFigures` from frames in any order."""

    def __init__(self) -> None:
        self._takes = 0
        self._all, self._hole = _Deviations(), _Deviations()
        self._variance, self._error = 0.0, 0.0

    def add(self, takes: Iterable[Values], truth: Values, hole: npt.NDArray[np.bool_]) -> None:
        """Take in a frame: that of each take and the truth, (H, W, 3) display values in [0, 1].

        `takes` has two or more, the same number for every frame; `hole` is (H, W).
        """
        true = truth.astype(np.float64)
        mean, scatter, count = np.zeros_like(true), np.zeros_like(true), 0
        for take in takes:
            count += 1
            before = take - mean
            mean += before / count
            scatter += before * (take - mean)
        self._takes = count
        deviation = np.sqrt(np.maximum(scatter, 0.0) / count)
        self._all.add(deviation, true)
        self._hole.add(deviation[hole], true[hole])
        self._variance += float(scatter[hole].sum()) / (count - 1)
        self._error += float(((mean - true)[hole] ** 2).sum())

    def figures(self) -> TakeFigures:
        """What the frames so far amount to."""
        expected = self._variance * (1.0 + 1.0 / max(self._takes, 1))
        return TakeFigures(
            takes=self._takes,
            diversity=self._all.diversity(),
            diversity_hole=self._hole.diversity(),
            calibration=expected / self._error if self._error > 0.0 else None,
        )
