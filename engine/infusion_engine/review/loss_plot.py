"""The loss of every interval as a plot: where its lines and labels lie, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 960, 220
"""Size of the plot in its own units."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 10, 26
_GAP = 10
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Curve:
    """One interval's loss."""

    label: str
    """What stands below it."""
    left: float
    """Where its part of the plot begins, from the left."""
    middle: float
    """Middle of its part."""
    points: str
    """The line as `x,y x,y ...`; empty where no loss is known."""


@dataclass(frozen=True)
class Tick:
    """A horizontal line at one loss."""

    y: float
    """Its place, from the top."""
    label: str
    """The loss."""


@dataclass(frozen=True)
class LossPlot:
    """Everything that is drawn."""

    curves: tuple[Curve, ...]
    """Each interval in its order."""
    ticks: tuple[Tick, ...]
    """Losses to read it by."""
    width: int = WIDTH
    """In the plot's own units."""
    height: int = HEIGHT
    """In the plot's own units."""
    bottom: int = HEIGHT - _BOTTOM
    """Where the lowest loss lies, from the top."""


def loss_plot(losses: Sequence[Sequence[float]], count: int) -> LossPlot | None:
    """The plot of some intervals' losses; None where no loss can be drawn.

    Args:
        losses: of each interval, over equal spans of its steps; empty where they are not known.
            What is not finite or not above 0 is left out.
        count: intervals in all: the plot has room for those still to come.
    """
    drawn = [[(i, v) for i, v in enumerate(one) if 0.0 < v < math.inf] for one in losses]
    values = [value for one in drawn for _, value in one]
    if not values:
        return None
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.04, 0.05 * (high - low))
    low, high = low - margin, high + margin
    span = (WIDTH - _LEFT - _RIGHT) / max(count, len(losses))

    def y(value: float) -> float:
        down = (high - math.log10(value)) / (high - low)
        return round(_TOP + down * (HEIGHT - _TOP - _BOTTOM), 1)

    curves = []
    for index, one in enumerate(drawn):
        left = _LEFT + index * span
        width = (span - _GAP) / max(1, len(losses[index]) - 1)
        points = " ".join(f"{left + _GAP / 2 + i * width:.1f},{y(value)}" for i, value in one)
        curves.append(Curve(str(index + 1), round(left, 1), round(left + span / 2, 1), points))
    ticks = tuple(Tick(y(value), f"{value:g}") for value in _ticks(low, high))
    return LossPlot(tuple(curves), ticks)


def _ticks(low: float, high: float) -> list[float]:
    """Round losses between 10^low and 10^high: 1, 2 and 5 of each decade, or its 1 alone."""
    steps = _STEPS if high - low < 2.0 else _STEPS[:1]
    decades = range(math.floor(low), math.ceil(high) + 1)
    candidates = [step * 10.0**decade for decade in decades for step in steps]
    return [value for value in candidates if low <= math.log10(value) <= high]
