"""Intervals: [0, T) cut into half-open spans of timesteps, noisiest first (paper, section 4.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from infusion_engine.diffusion.schedule import T, log_snr, sigma
from infusion_engine.settings import Spacing

PUBLISHED_LAST_TIMESTEP = 1
"""The published sampler's last evaluation: predicted x_0 at t = 1 is the result."""

LOG_SNR_FIRST = -5.0
"""log-SNR, in nats, from which equal spans are counted.

Below it (t > 700, sqrt(alpha-bar) < 0.083) x_t says next to nothing of x_0, so that all of it
belongs to the first span: 30 % of the published budget is spent there.
"""

_SHARED_NATS = 11.0
"""Span of log-SNR, from the noisiest on, that intervals share equally.

What is less noisy still belongs to the last: little is left to be found there, and found soon.
"""

LAID_OUT_BELOW = 1.0
"""Noise sigma below which layout is there: x_0 is no longer a mean of many fills."""

MOST_DETAIL_INTERVALS = 50
"""Timesteps that every level has at least."""
_DROWNED = 16.0  # noise over the spread of what is not seen; 4 lost 15 to 40 % of detail's energy


@dataclass(frozen=True)
class Interval:
    """Timesteps low, low + 1, ..., high - 1: half-open."""

    index: int
    """0 for the noisiest."""
    low: int
    """Least noisy timestep, inclusive."""
    high: int
    """One past the noisiest timestep."""

    def __contains__(self, t: int) -> bool:
        """True for a timestep inside."""
        return self.low <= t < self.high

    def __str__(self) -> str:
        """[low, high) as it is written in messages."""
        return f"[{self.low}, {self.high})"


def intervals(count: int, spacing: Spacing, *, top: int = T) -> tuple[Interval, ...]:
    """`count` intervals that tile [0, top) exactly, noisiest first.

    Raises:
        ValueError: there are fewer timesteps than intervals.
    """
    if not 0 < count <= top <= T:
        raise ValueError(f"{count} intervals cannot tile {top} timesteps of {T}")
    if spacing is Spacing.TIMESTEP:
        edges = _equal_timesteps(count, top)
    else:
        edges = _equal_log_snr(count, top)
    return tuple(
        Interval(index=i, low=low, high=high) for i, (high, low) in enumerate(pairwise(edges))
    )


def sampling_timesteps(
    interval: Interval, steps: int, *, last: int = PUBLISHED_LAST_TIMESTEP
) -> tuple[int, ...]:
    """The timesteps at which the denoiser is evaluated in an interval, falling, at most `steps`.

    The first is the interval's noisiest, so that a sample handed over by the noisier interval
    arrives exactly at its level. When all are asked for, the published sampler is had: T - 1 .. 1.

    Args:
        interval: to be crossed.
        steps: at most so many.
        last: the interval that ends at 0 asks no timestep below it.
    """
    low = max(interval.low, last) if interval.low == 0 else interval.low
    high = interval.high - 1
    if high <= low:
        return (high,)
    if steps >= high - low + 1:
        return tuple(range(high, low - 1, -1))
    # Equal strides of log-SNR: the same change of what is seen, whatever the timestep. The lower
    # edge itself is the next interval's first, so that only the last interval evaluates it.
    ends = interval.low == 0
    first = log_snr(high)
    if first < LOG_SNR_FIRST < log_snr(low):
        first, steps = LOG_SNR_FIRST, steps - 1  # one step crosses all that is nearly pure noise
    levels = np.linspace(first, log_snr(low), steps if ends else steps + 1)
    ladder = np.array([log_snr(t) for t in range(low, high + 1)])  # falls with t
    chosen = {low + int(np.argmin(np.abs(ladder - level))) for level in levels[:steps]}
    return tuple(sorted(chosen | {high}, reverse=True))


def laid_out_by(spans: Sequence[Interval]) -> int | None:
    """Index of the last of the coarsest level's intervals that decides on layout.

    The first whose follower begins below LAID_OUT_BELOW; None where no interval follows one.
    """
    for before, after in pairwise(spans):
        if sigma(after.high - 1) < LAID_OUT_BELOW:
            return before.index
    return None


def top_timestep(spread: float) -> int:
    """One past the timestep at which detail of deviation `spread` is drowned in noise.

    There a level starts from its guess alone: what the guess leaves out must be too faint to be
    missed, in flat and slow components too, whose spread is several times the mean. The noise is
    _DROWNED times the spread, rounded up to a power of sqrt(2), so that another machine's last
    digit names the same timestep.
    """
    wanted = 2.0 ** (math.ceil(2.0 * math.log2(_DROWNED * spread)) / 2.0)
    drowned = next((t for t in range(T) if sigma(t) >= wanted), T - 1) + 1
    return max(drowned, MOST_DETAIL_INTERVALS)


def _equal_timesteps(count: int, top: int) -> list[int]:
    """Falling edges from top to 0, one more than intervals, as equal as whole numbers allow."""
    return [round(top * (count - i) / count) for i in range(count + 1)]


def _equal_log_snr(count: int, top: int) -> list[int]:
    """Falling edges from top to 0, one more than intervals, at equal strides of log-SNR."""
    ladder = np.array([log_snr(t) for t in range(T)])
    first = max(LOG_SNR_FIRST, log_snr(top - 1))
    last = min(first + _SHARED_NATS, log_snr(PUBLISHED_LAST_TIMESTEP))
    levels = np.linspace(first, last, count + 1)[1:-1]
    edges = [top]
    for i, level in enumerate(levels):
        nearest = int(np.argmin(np.abs(ladder - level)))
        edges.append(max(min(nearest, edges[-1] - 1), count - 1 - i))
    return [*edges, 0]
