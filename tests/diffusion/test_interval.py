"""Intervals tile [0, T), and the timesteps sampled in them hand over to one another."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_engine.diffusion.interval import (
    LOG_SNR_FIRST,
    Interval,
    intervals,
    sampling_timesteps,
    top_timestep,
)
from infusion_engine.diffusion.schedule import T, log_snr, sigma
from infusion_engine.settings import Spacing

spacings = st.sampled_from(Spacing)


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[Interval, ...], int]:
    """Any intervals with a number of sampling steps that settings allow."""
    top = draw(st.one_of(st.just(T), st.integers(1, T)))
    count = draw(st.integers(1, top))
    steps = draw(st.integers(1, top // count))
    return intervals(count, draw(spacings), top=top), steps


@pytest.mark.parametrize("spacing", list(Spacing))
def test_every_count_tiles_all_timesteps(spacing: Spacing) -> None:
    """For 1 to 1000 intervals each timestep lies in exactly one, noisiest first, none empty."""
    for count in (*range(1, 60), 99, 250, 333, 500, 997, 999, 1000):
        spans = intervals(count, spacing)
        assert [span.index for span in spans] == list(range(count))
        assert all(span.low < span.high for span in spans)
        assert spans[0].high == T
        assert spans[-1].low == 0
        assert all(noisier.low == cleaner.high for noisier, cleaner in pairwise(spans))


@given(chains())
def test_any_top_is_tiled_too(chain: tuple[tuple[Interval, ...], int]) -> None:
    """A level that begins below T is cut like a whole one: nothing empty, nothing left out."""
    spans, _ = chain
    assert [span.index for span in spans] == list(range(len(spans)))
    assert all(span.low < span.high for span in spans)
    assert spans[-1].low == 0
    assert all(noisier.low == cleaner.high for noisier, cleaner in pairwise(spans))


@pytest.mark.parametrize("spacing", list(Spacing))
@pytest.mark.parametrize("top", [50, 105, 397, T])
def test_the_first_interval_begins_at_the_top(spacing: Spacing, top: int) -> None:
    """One past the noisiest timestep, as asked."""
    assert intervals(2, spacing, top=top)[0].high == top


@pytest.mark.parametrize(("count", "top"), [(0, T), (51, 50), (1001, T), (1, 0), (1, T + 1)])
def test_what_cannot_be_tiled_is_refused(count: int, top: int) -> None:
    """More intervals than timesteps, none at all, or timesteps that there are not."""
    with pytest.raises(ValueError, match=f"{count} intervals cannot tile {top} timesteps"):
        intervals(count, Spacing.LOG_SNR, top=top)


def test_a_detail_level_shares_its_signal_equally() -> None:
    """From its own top, not from where pure noise ends: no interval is much longer."""
    spans = intervals(4, Spacing.LOG_SNR, top=300)
    edges = [log_snr(299), *(log_snr(span.low) for span in spans[:-1]), log_snr(1)]
    strides = [b - a for a, b in pairwise(edges)]
    assert max(strides) < 1.1 * min(strides)


@pytest.mark.parametrize("spread", [0.02, 0.05, 0.1, 0.3, 1.0])
def test_detail_is_drowned_at_the_top(spread: float) -> None:
    """The noise there is 16 times the spread, or up to sqrt(2) and one timestep more."""
    top = top_timestep(spread)
    assert 16.0 * spread <= sigma(top - 1)
    assert sigma(top - 2) < 16.0 * spread * 2**0.5


def test_a_last_digit_hardly_ever_moves_the_top() -> None:
    """Another machine's sum of squares names the same timesteps, hence the same cache keys.

    Over a tenfold range of spreads there are no more tops than powers of sqrt(2).
    """
    tops = [top_timestep(0.03 * 10 ** (i / 1000)) for i in range(1001)]
    assert len(set(tops)) <= 8


def test_the_top_rises_with_the_spread_and_has_both_ends() -> None:
    """The faintest detail still has 50 timesteps, and the coarsest has all there are."""
    tops = [top_timestep(1e-3 * 1.3**i) for i in range(40)]
    assert tops == sorted(tops)
    assert (tops[0], tops[-1]) == (50, T)


def test_an_interval_is_half_open() -> None:
    """Its low timestep belongs to it, its high one does not; messages say so."""
    span = Interval(index=0, low=950, high=1000)
    assert [t in span for t in (949, 950, 999, 1000)] == [False, True, True, False]
    assert str(span) == "[950, 1000)"


def test_the_published_intervals() -> None:
    """20 intervals of 50 timesteps, [950, 1000) first."""
    assert [(span.low, span.high) for span in intervals(20, Spacing.TIMESTEP)] == [
        (1000 - 50 * (k + 1), 1000 - 50 * k) for k in range(20)
    ]


def test_log_snr_spacing_shares_the_signal_equally() -> None:
    """Eleven nats in equal spans, within a timestep; the last has all beyond as well."""
    spans = intervals(5, Spacing.LOG_SNR)
    edges = [LOG_SNR_FIRST, *(log_snr(span.low) for span in spans[:-1]), LOG_SNR_FIRST + 11.0]
    strides = [b - a for a, b in pairwise(edges)]
    assert max(strides) - min(strides) < 0.1
    assert spans[-1].low == 0
    assert spans[0].low < 690  # 30 % of the timesteps are nearly pure noise, and share a span


def test_a_finer_level_shares_all_that_it_has() -> None:
    """It begins within eleven nats of the end."""
    first, last = intervals(2, Spacing.LOG_SNR, top=260)
    whole = log_snr(1) - log_snr(259)
    assert log_snr(first.low) - log_snr(259) == pytest.approx(whole / 2, abs=0.1)
    assert last.low == 0


def test_the_published_sampler_walks_every_timestep_but_the_last() -> None:
    """20 x 50: 999 .. 1 without a gap; interval k covers 999 - 50k .. 950 - 50k."""
    walks = [sampling_timesteps(span, 50) for span in intervals(20, Spacing.TIMESTEP)]
    assert [t for walk in walks for t in walk] == list(range(999, 0, -1))
    for k, walk in enumerate(walks[:-1]):
        assert (walk[0], walk[-1]) == (999 - 50 * k, 950 - 50 * k)
    assert (walks[-1][0], walks[-1][-1]) == (49, 1)


@given(chains())
def test_timesteps_fall_within_their_interval(chain: tuple[tuple[Interval, ...], int]) -> None:
    """Each walk begins at its interval's noisiest timestep, falls, and stays inside."""
    spans, steps = chain
    for span in spans:
        walk = sampling_timesteps(span, steps)
        assert walk[0] == span.high - 1
        assert all(t in span for t in walk)
        assert all(a > b for a, b in pairwise(walk))
        assert len(walk) <= steps


@given(chains())
def test_no_timestep_is_evaluated_twice(chain: tuple[tuple[Interval, ...], int]) -> None:
    """One walk ends above where the next begins, over the whole chain."""
    spans, steps = chain
    walked = [t for span in spans for t in sampling_timesteps(span, steps)]
    assert walked == sorted(set(walked), reverse=True)


@pytest.mark.parametrize("spacing", list(Spacing))
@pytest.mark.parametrize(("count", "steps"), [(1, 25), (5, 10), (5, 2), (20, 5), (20, 50)])
def test_the_last_evaluation_is_nearly_free_of_noise(
    spacing: Spacing, count: int, steps: int
) -> None:
    """A sample always comes down to t = 1, where sigma is 0.015."""
    assert sampling_timesteps(intervals(count, spacing)[-1], steps)[-1] == 1


@pytest.mark.parametrize("steps", [2, 8, 16])
def test_it_may_come_down_to_zero(steps: int) -> None:
    """In no more evaluations; the intervals before go where they went."""
    first, last = intervals(2, Spacing.LOG_SNR, top=260)
    walk = sampling_timesteps(last, steps, last=0)
    assert walk[-1] == 0
    assert len(walk) <= steps
    assert sampling_timesteps(first, steps, last=0) == sampling_timesteps(first, steps)


@pytest.mark.parametrize("top", [50, 105, 397])
@pytest.mark.parametrize("steps", [2, 10, 16])
def test_a_detail_level_comes_down_to_the_same(top: int, steps: int) -> None:
    """Wherever it began."""
    assert sampling_timesteps(intervals(2, Spacing.LOG_SNR, top=top)[-1], steps)[-1] == 1


def test_fewer_steps_are_spread_evenly_over_log_snr() -> None:
    """Where there is signal, no stride is much longer than another."""
    span = intervals(5, Spacing.LOG_SNR)[1]
    walk = sampling_timesteps(span, 10)
    strides = [log_snr(b) - log_snr(a) for a, b in pairwise(walk)]
    assert len(walk) == 10
    assert max(strides) < 1.2 * min(strides)


def test_nearly_pure_noise_costs_one_step() -> None:
    """From T - 1 the first interval's second evaluation is where x_t begins to tell something."""
    first, second, *_ = sampling_timesteps(intervals(5, Spacing.LOG_SNR)[0], 10)
    assert first == T - 1
    assert abs(log_snr(second) - LOG_SNR_FIRST) < 0.02


def test_steps_within_pure_noise_are_spread_too() -> None:
    """A published interval that lies wholly in noise is still walked in as many steps as asked."""
    walk = sampling_timesteps(Interval(index=0, low=950, high=1000), 5)
    assert walk == (999, 989, 980, 970, 960)


def test_an_interval_of_one_timestep_is_evaluated_there() -> None:
    """Even the last one, [0, 1), which has no t = 1."""
    assert sampling_timesteps(Interval(index=3, low=7, high=8), 4) == (7,)
    assert sampling_timesteps(Interval(index=999, low=0, high=1), 1) == (0,)
