"""The noise schedule, the posterior and the DDIM step, against the formulas they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infusion_engine.diffusion.schedule import (
    T,
    alpha_bar,
    alpha_bars,
    betas,
    implicit,
    log_snr,
    posterior,
    sigma,
)

PAIRS = [(999, 998), (999, 949), (500, 250), (50, 1), (2, 0), (1, 0), (999, 0)]


def by_hand(t: int) -> float:
    """alpha-bar_t as a product of its factors, one after the other."""
    product = 1.0
    for s in range(t + 1):
        product *= 1.0 - (1e-4 + (0.02 - 1e-4) * s / 999)
    return product


def test_beta_is_linear_as_published() -> None:
    """T = 1000 betas rise linearly from 1e-4 to 0.02."""
    assert T == 1000
    assert betas().shape == (1000,)
    assert betas()[[0, -1]].tolist() == [1e-4, 0.02]
    assert np.ptp(np.diff(betas())) < 1e-15


@pytest.mark.parametrize("t", [0, 1, 49, 500, 998, 999])
def test_alpha_bar_is_the_product_of_alphas(t: int) -> None:
    """alpha-bar_t = prod (1 - beta_s) over s <= t."""
    assert alpha_bar(t) == pytest.approx(by_hand(t), rel=1e-12)
    assert alpha_bar(t) == alpha_bars()[t]


def test_golden_values() -> None:
    """A change of the schedule is noticed."""
    chosen = alpha_bars()[[0, 1, 49, 499, 949, 999]]
    assert chosen == pytest.approx(
        [0.9999, 0.999780092, 0.971015723, 0.0785872429, 1.08098282e-4, 4.03582977e-5], rel=1e-8
    )


def test_there_is_no_noise_before_the_first_timestep() -> None:
    """alpha-bar_{-1} = 1."""
    assert alpha_bar(-1) == 1.0


def test_sigma_and_log_snr_say_the_same_as_alpha_bar() -> None:
    """The ratio sigma is noise over signal, log-SNR = -2 log sigma, and both are monotonic."""
    for t in (0, 1, 500, 999):
        a = by_hand(t)
        assert sigma(t) == pytest.approx(math.sqrt(1 - a) / math.sqrt(a), rel=1e-12)
        assert log_snr(t) == pytest.approx(-2 * math.log(sigma(t)), rel=1e-10)
    assert all(log_snr(t) > log_snr(t + 1) for t in range(T - 1))


@pytest.mark.parametrize("t", [1, 2, 50, 500, 949, 999])
def test_a_single_step_is_equations_6_and_7_of_ho_et_al(t: int) -> None:
    """The published code's two lines: mean and variance of q(x_{t-1} | x_t, x_0)."""
    beta, alpha = betas()[t], 1.0 - betas()[t]
    a_t, a_before = by_hand(t), by_hand(t - 1)
    step = posterior(t, t - 1)
    assert step.x_0_weight == pytest.approx(beta * math.sqrt(a_before) / (1 - a_t), rel=1e-9)
    assert step.x_t_weight == pytest.approx(math.sqrt(alpha) * (1 - a_before) / (1 - a_t), rel=1e-9)
    assert step.deviation**2 == pytest.approx(beta * (1 - a_before) / (1 - a_t), rel=1e-9)


@pytest.mark.parametrize(("t", "s"), PAIRS)
def test_a_stride_is_what_bayes_says_of_two_gaussians(t: int, s: int) -> None:
    """q(x_s | x_t, x_0) is the product of q(x_s | x_0) and q(x_t | x_s), by their precisions."""
    a_t, a_s = by_hand(t), by_hand(s)
    ratio = a_t / a_s
    precision = 1 / (1 - a_s) + ratio / (1 - ratio)
    step = posterior(t, s)
    assert step.deviation**2 == pytest.approx(1 / precision, rel=1e-9)
    assert step.x_0_weight == pytest.approx(math.sqrt(a_s) / (1 - a_s) / precision, rel=1e-9)
    assert step.x_t_weight == pytest.approx(math.sqrt(ratio) / (1 - ratio) / precision, rel=1e-9)


@pytest.mark.parametrize(("t", "middle", "s"), [(999, 500, 1), (500, 499, 498), (60, 30, 0)])
def test_two_steps_make_one_stride(t: int, middle: int, s: int) -> None:
    """With x_0 known, going t -> middle -> s has the mean and variance of going t -> s."""
    first, second, whole = posterior(t, middle), posterior(middle, s), posterior(t, s)
    assert second.x_0_weight + second.x_t_weight * first.x_0_weight == pytest.approx(
        whole.x_0_weight, rel=1e-9
    )
    assert second.x_t_weight * first.x_t_weight == pytest.approx(whole.x_t_weight, rel=1e-9)
    assert (second.x_t_weight * first.deviation) ** 2 + second.deviation**2 == pytest.approx(
        whole.deviation**2, rel=1e-9
    )


@pytest.mark.parametrize(("t", "s"), PAIRS)
def test_every_step_keeps_the_forward_moments(t: int, s: int) -> None:
    """From x_t ~ q(x_t | x_0) both steps arrive at q(x_s | x_0): no noise level is missed."""
    a_t, a_s = by_hand(t), by_hand(s)
    for step in (posterior(t, s), implicit(t, s)):
        mean = step.x_0_weight + step.x_t_weight * math.sqrt(a_t)
        variance = step.x_t_weight**2 * (1 - a_t) + step.deviation**2
        assert mean == pytest.approx(math.sqrt(a_s), rel=1e-9)
        assert variance == pytest.approx(1 - a_s, rel=1e-9)


@pytest.mark.parametrize(("t", "s"), PAIRS)
def test_ddim_keeps_the_noise_it_finds(t: int, s: int) -> None:
    """DDIM (eta = 0): x_s = sqrt(a_s) x_0 + sqrt(1 - a_s) eps, with x_t's own eps, and no other."""
    x_0, eps = 0.3, -1.7
    x_t = math.sqrt(by_hand(t)) * x_0 + math.sqrt(1 - by_hand(t)) * eps
    step = implicit(t, s)
    expected = math.sqrt(by_hand(s)) * x_0 + math.sqrt(1 - by_hand(s)) * eps
    assert step.x_0_weight * x_0 + step.x_t_weight * x_t == pytest.approx(expected, rel=1e-9)
    assert step.deviation == 0.0


@pytest.mark.parametrize("t", [0, 1, 999])
def test_the_step_out_of_the_noise_is_predicted_x_0(t: int) -> None:
    """At s = -1 nothing is left of x_t, and nothing is added."""
    for step in (posterior(t, -1), implicit(t, -1)):
        assert step.x_0_weight == pytest.approx(1.0, abs=1e-12)
        assert step.x_t_weight == 0.0
        assert step.deviation == 0.0
