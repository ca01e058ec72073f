"""Measuring a level's gauge: what is to be filled there, in numbers, from known voxels alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import nnls

from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.moments import moments_known
from infusion_engine.diffusion.residual import Gauge
from infusion_engine.diffusion.schedule import T
from infusion_engine.settings import Settings
from infusion_engine.training.ground import Ground
from infusion_engine.training.window import draw_window

_DRAWS = 24  # windows over which the guess is tried
_LEAST = 1e-3  # a flat plate has no deviation to divide by
_ROUNDS = 4  # of weighing errors by what is expected
_LEAST_SHARE = 0.1
"""Of the first axis' deviation: what hardly varies in the shot may, under the matte, a little."""


def measured(
    ground: Ground, *, settings: Settings, fit_seed: int, before: Gauge | None = None
) -> Gauge:
    """The gauge of one level: how far the guess is out, under occluders such as training draws.

    `before` is what the weights that are fitted on went by: an axis of colour points the way that
    it pointed there, or they would say what they have learnt of red of green.
    """
    moments = moments_known(ground.x_0, ground.hole, ground.shelf)
    nothing = torch.zeros(3, dtype=torch.float64, device=ground.x_0.device)
    mean, variance = moments or (nothing, nothing)
    errors, expected = _tried(ground, settings, fit_seed)
    squares = np.square(errors).mean(1)
    axes, shares = principal(errors)
    if before is not None:
        turned = (axes * before.axes.double().cpu().numpy()).sum(1, keepdims=True) < 0.0
        axes = np.where(turned, -axes, axes)
    spread = max(float(np.sqrt(squares.mean())) if len(squares) else 0.0, _LEAST)
    moving, unseen = _explained(squares, expected, least=(0.1 * spread) ** 2)
    return Gauge(
        mean=mean.float(),
        deviation=variance.sqrt().mean().clamp(min=_LEAST).float(),
        spread=torch.tensor(spread),
        moving=torch.tensor(moving),
        unseen=torch.tensor(unseen),
        axes=torch.from_numpy(axes).float(),
        shares=torch.from_numpy(shares).float(),
    ).to(ground.x_0.device)


def _tried(ground: Ground, settings: Settings, fit_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) errors of the guess where they count; (N, 2) energy and 1 - weight there."""
    everything = Interval(index=0, low=0, high=T)
    errors, expected = [], []
    for step in range(_DRAWS):
        window = draw_window(
            ground,
            settings=replace(settings, batch=1),
            interval=everything,
            fit_seed=fit_seed,
            step=step,
        )
        hint, counts = window.hint, window.counted > 0.0
        error = (window.x_0 - hint.guess).movedim(1, -1)[counts[:, 0]]  # (n, 3)
        unseen = (1.0 - hint.weight).expand_as(counts)[counts]
        errors.append(error.double().cpu().numpy())
        expected.append(torch.stack([hint.energy[counts], unseen], 1).double().cpu().numpy())
    return np.concatenate(errors), np.concatenate(expected)


def principal(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The axes of colour along which errors (N, 3) lie, and how far along each of them.

    Returns:
        ((3, 3) orthonormal rows, furthest first, each with its largest part above 0;
        (3,) root mean squares as parts of the first, none below _LEAST_SHARE).
    """
    if not errors.any():
        return np.eye(3), np.ones(3)
    squares, columns = np.linalg.eigh(errors.T @ errors / len(errors))  # rising
    axes = columns.T[::-1]
    signs = np.sign(axes[np.arange(3), np.abs(axes).argmax(1)])
    deviations = np.sqrt(squares[::-1].clip(min=0.0))
    shares: np.ndarray = (deviations / deviations[0]).clip(min=_LEAST_SHARE)
    return np.ascontiguousarray(axes * signs[:, None]), shares


def _explained(squares: np.ndarray, expected: np.ndarray, *, least: float) -> tuple[float, float]:
    """Factors, at least 0, that make squared errors of what is expected.

    Least squares, over and over, with errors weighed by what was expected in the round before: a
    square is uncertain in proportion to its size, and the plate's liveliest part must not have
    the only say.
    """
    weigh = np.ones(len(squares))
    factors = np.zeros(2)
    for _ in range(_ROUNDS):
        if len(squares):
            factors, _ = nnls(expected * weigh[:, None], squares * weigh)
        weigh = 1.0 / np.maximum(expected @ factors, least)
    return (float(factors[0]), float(factors[1])) if factors.any() else (0.0, least)
