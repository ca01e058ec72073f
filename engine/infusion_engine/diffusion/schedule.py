"""The noise schedule: T = 1000 timesteps with linear beta, and the posterior between two of them.

Symbols follow Ho et al. 2020 (arXiv 2006.11239): beta_t, alpha_t = 1 - beta_t and
alpha-bar_t = prod_{s <= t} alpha_s. Everything here is float64 scalars, the same on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

T = 1000
"""Number of timesteps; t lies in [0, T)."""

BETA_FIRST, BETA_LAST = 1e-4, 0.02


@cache
def betas() -> np.ndarray:
    """beta_t for t = 0 .. T - 1, linear (paper, section 4; Ho et al., section 4). Shape (T,)."""
    return np.linspace(BETA_FIRST, BETA_LAST, T, dtype=np.float64)


@cache
def alpha_bars() -> np.ndarray:
    """alpha-bar_t for t = 0 .. T - 1: the share of the signal's variance left. Shape (T,)."""
    return np.cumprod(1.0 - betas())


def alpha_bar(t: int) -> float:
    """alpha-bar_t, with alpha-bar_{-1} = 1: before the first timestep there is no noise."""
    return 1.0 if t < 0 else float(alpha_bars()[t])


def sigma(t: int) -> float:
    """Noise per unit of signal, sqrt((1 - alpha-bar_t) / alpha-bar_t): the sigma of EDM."""
    a = alpha_bar(t)
    return math.sqrt((1.0 - a) / a)


def log_snr(t: int) -> float:
    """log(alpha-bar_t / (1 - alpha-bar_t)), in nats; falls as t grows."""
    a = alpha_bar(t)
    return math.log(a / (1.0 - a))


@dataclass(frozen=True)
class Posterior:
    """q(x_s | x_t, x_0), a Gaussian with mean `x_0_weight * x_0 + x_t_weight * x_t`."""

    x_0_weight: float
    """Weight of x_0 in the mean."""
    x_t_weight: float
    """Weight of x_t in the mean."""
    deviation: float
    """Standard deviation; 0 where s is noise-free."""


def posterior(t: int, s: int) -> Posterior:
    """The DDPM posterior from timestep t to any less noisy s, -1 <= s < t.

    For s = t - 1 this is equations 6 and 7 of Ho et al.; for a longer stride alpha_t becomes
    alpha-bar_t / alpha-bar_s.
    """
    a_t, a_s = alpha_bar(t), alpha_bar(s)
    alpha = a_t / a_s
    return Posterior(
        x_0_weight=math.sqrt(a_s) * (1.0 - alpha) / (1.0 - a_t),
        x_t_weight=math.sqrt(alpha) * (1.0 - a_s) / (1.0 - a_t),
        deviation=math.sqrt((1.0 - alpha) * (1.0 - a_s) / (1.0 - a_t)),
    )


def implicit(t: int, s: int) -> Posterior:
    """The DDIM step with eta = 0 (Song et al., arXiv 2010.02502, equation 12) in the same form."""
    a_t, a_s = alpha_bar(t), alpha_bar(s)
    x_t_weight = math.sqrt((1.0 - a_s) / (1.0 - a_t))
    return Posterior(
        x_0_weight=math.sqrt(a_s) - math.sqrt(a_t) * x_t_weight,
        x_t_weight=x_t_weight,
        deviation=0.0,
    )
