"""Measuring a level's gauge: what is to be filled there, in numbers, from known voxels alone."""

from __future__ import annotations

import torch

from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.pyramid import PyramidLevel, detail_spread
from infusion_engine.diffusion.residual import Gauge
from infusion_engine.diffusion.schedule import T
from infusion_engine.settings import Settings
from infusion_engine.training.window import Ground, draw_window

_DRAWS = 12  # windows over which the guess is tried
_LEAST = 1e-3  # a flat plate has no deviation to divide by


def measured(ground: Ground, *, settings: Settings, fit_seed: int) -> Gauge:
    """The gauge of one level.

    At the coarsest level the spread is that of x_0 about the smooth guess under occluders such as
    training draws; at finer levels it is that of the detail which halving takes away.
    """
    known = ~torch.from_numpy(ground.missing).to(ground.x_0.device)
    seen = ground.x_0[:, known].double()  # (3, N)
    if seen.numel() == 0:
        seen = torch.zeros(3, 1, dtype=torch.float64, device=ground.x_0.device)
    if ground.guess is None:
        spread = _guess_spread(ground, settings, fit_seed)
    else:
        spread = detail_spread(PyramidLevel(ground.x_0, ground.hole), ground.x_0)
    deviation = seen.std(dim=1, unbiased=False).mean().clamp(min=_LEAST)
    return Gauge(
        mean=seen.mean(1).float(),
        deviation=deviation.float(),
        spread=torch.tensor(max(spread, _LEAST), device=ground.x_0.device),
    )


def _guess_spread(ground: Ground, settings: Settings, fit_seed: int) -> float:
    """Root mean square of x_0 minus the guess where training windows count."""
    everything = Interval(index=0, low=0, high=T)
    squares = counted = 0.0
    for step in range(_DRAWS):
        window = draw_window(
            ground, settings=settings, interval=everything, fit_seed=fit_seed, step=step
        )
        error = (window.x_0 - window.hint.guess) * window.counted
        squares += float(error.double().pow(2).sum())
        counted += float(window.counted.sum()) * error.shape[1]
    return float((squares / max(counted, 1.0)) ** 0.5)
