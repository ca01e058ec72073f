"""The encoding: plate values as the floats near [-1, 1] that a network can learn from, and back.

Scene-linear plates go through a shaper that is logarithmic on both signs and linear near zero:

    s(v) = sign(v) log(1 + |v| / knee)

(a log curve such as ACEScct runs away below zero, and one pixel of 65504 would squeeze all others
into a sliver). Its scale comes from robust percentiles of the shot's known pixels; outliers lie
beyond +-1 and are not clamped. Log and display-referred integers go straight to [-1, 1].

A plate whose colour space was named is converted first, whatever its type, and then goes through
the shaper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from infusion_engine.media.input_space import InputSpace
from infusion_engine.media.shot import Transfer

_LOW_PERCENTILE, _HIGH_PERCENTILE = 0.5, 99.5
_LEAST_KNEE = 1.0 / 512.0  # of the high percentile: blacks of fire and night are mostly noise
_LEAST_RANGE = 1e-6
_GRAINS = 256
"""Converted values differ in their last bits between machines, and the parameters are part of keys:
they are taken in steps so coarse that machines nearly always agree."""


class Curve(str, Enum):
    """How values map to the encoded range."""

    STRAIGHT = "straight"
    """Linear."""
    SYMMETRIC_LOG = "symmetric_log"
    """Logarithmic on both signs, linear near zero."""


@dataclass(frozen=True)
class Encoding:
    """An invertible map between plate values and encoded floats."""

    curve: Curve
    """Its shape."""
    knee: float
    """Value at which the log takes over from the linear part; unused when straight."""
    low: float
    """Value that becomes -1."""
    high: float
    """Value that becomes +1."""
    space: InputSpace | None = None
    """The plate's colour space, where it was named: the values above are then scene-linear."""

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Plate values of any shape and type -> encoded float32; NaN and Inf stay what they are.

        With a colour space the last axis is R, G, B, and a pixel that has no scene-linear value
        is not finite.
        """
        numbers = as_numbers(values)
        if self.space is not None:
            numbers = self.space.to_linear(numbers).astype(np.float64)
        shaped = self._shaped(numbers)
        middle, half = self._span()
        return ((shaped - middle) / half).astype(np.float32)

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """Encoded floats -> plate values, float32 (0..1 of full scale for integer plates)."""
        middle, half = self._span()
        shaped = encoded.astype(np.float64) * half + middle
        if self.curve is Curve.SYMMETRIC_LOG:
            shaped = np.sign(shaped) * np.expm1(np.abs(shaped)) * self.knee
        values = np.asarray(shaped.astype(np.float32))
        return values if self.space is None else self.space.from_linear(values)

    def described(self) -> dict[str, object]:
        """Its parameters, for keys and records; of a colour space only where there is one."""
        found = {"curve": self.curve, "knee": self.knee, "low": self.low, "high": self.high}
        return found if self.space is None else {**found, "input_space": self.space.described()}

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        if self.curve is Curve.STRAIGHT:
            return values
        return np.asarray(np.sign(values) * np.log1p(np.abs(values) / self.knee))

    def _span(self) -> tuple[float, float]:
        """(middle, half) of the shaped range that becomes [-1, 1]."""
        low, high = self._shaped(np.array([self.low, self.high], np.float64))
        return (high + low) / 2.0, (high - low) / 2.0


def choose_encoding(
    known: np.ndarray, transfer: Transfer, space: InputSpace | None = None
) -> Encoding:
    """The encoding that suits a shot.

    Args:
        known: values of known pixels, any shape, finite; may be a sample of them.
        transfer: what the numbers mean.
        space: the plate's colour space; `known` is then scene-linear already.
    """
    if transfer is Transfer.DISPLAY:
        return Encoding(Curve.STRAIGHT, knee=0.0, low=0.0, high=1.0)
    values = as_numbers(known)
    low, high = (float(v) for v in np.percentile(values, (_LOW_PERCENTILE, _HIGH_PERCENTILE)))
    if high - low < _LEAST_RANGE:
        low, high = low - 0.5, high + 0.5  # a flat plate: any scale will do
    largest = max(abs(low), abs(high))
    knee = max(float(np.median(np.abs(values))), largest * _LEAST_KNEE)
    if space is not None:
        grain = _power_of_two(high - low) / _GRAINS
        low, high = round(low / grain) * grain, round(high / grain) * grain
        knee = round(knee / _power_of_two(knee) * _GRAINS) * _power_of_two(knee) / _GRAINS
    return Encoding(Curve.SYMMETRIC_LOG, knee=knee, low=low, high=high, space=space)


def _power_of_two(size: float) -> float:
    """The largest power of two that is no larger than `size`, which is above 0."""
    return 2.0 ** math.floor(math.log2(size))


def as_numbers(values: np.ndarray) -> np.ndarray:
    """float64; integer types as a share of their full scale."""
    numbers = values.astype(np.float64)
    return numbers / np.iinfo(values.dtype).max if values.dtype.kind in "ui" else numbers
