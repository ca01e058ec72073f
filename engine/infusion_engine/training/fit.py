"""Fitting a denoiser to one interval of one shot, one optimiser step at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import Model, precise, state_of
from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.residual import Convolution, ResidualDenoiser, normalised
from infusion_engine.errors import FitError
from infusion_engine.settings import Precision, Schedule, Settings
from infusion_engine.training.gauge import measured
from infusion_engine.training.ground import Ground
from infusion_engine.training.optimise import Optimisers
from infusion_engine.training.window import Window, draw_window

_WARM_UP = 0.05  # share of an interval's steps over which the learning rate rises
_LOSS_MEMORY = 0.98  # how much of the reported loss is the past


@dataclass(frozen=True)
class FitState:
    """What a fit leaves behind, and what the next interval's fit starts from."""

    model: Mapping[str, Tensor]
    """The fitted model (`denoise.state_of`), float32 on the CPU."""
    optimiser: Mapping[str, Tensor]
    """The optimisers' moments and step counts by name; empty where the optimiser starts afresh."""
    loss: float
    """Running mean of the loss at the end."""


def fit_interval(
    model: Model,
    ground: Ground,
    *,
    settings: Settings,
    interval: Interval,
    fit_seed: int,
    carried: Mapping[str, Tensor],
    on_step: Callable[[int, float], None],
) -> FitState:
    """Fit `model`, in place, to one interval of one level.

    Args:
        model: holds the weights to start from; holds the fitted ones afterwards.
        ground: the level's clip on the model's device.
        settings: every number of the fit.
        interval: timesteps to learn.
        fit_seed: with the level, the interval and the step, decides every random choice.
        carried: optimiser state of the noisier interval, used where the schedule is constant.
        on_step: called with steps done and the running loss; may raise to stop.

    Returns:
        What the fit leaves behind.

    Raises:
        FitError: the loss, or a weight in the end, is no number any more.
    """
    if isinstance(model, ResidualDenoiser):
        model.gauge = measured(ground, settings=settings, fit_seed=fit_seed, before=model.gauge)
    optimisers = Optimisers(model, settings)
    keeps_state = settings.schedule is Schedule.CONSTANT
    if keeps_state and carried:
        optimisers.restore(carried)
    average = _Average(model, settings)
    running = math.nan
    model.train()
    for step in range(settings.steps_per_interval):
        window = draw_window(
            ground, settings=settings, interval=interval, fit_seed=fit_seed, step=step
        )
        loss = window_loss(model, window, settings)
        optimisers.step(loss, learning_rate(settings, step))
        normalise_weights(model)
        average.update(model)
        value = float(loss.detach())  # waits for a GPU, so only when all of the step is under way
        if not math.isfinite(value):
            raise _diverged(ground.level, interval, f"{step + 1} of {settings.steps_per_interval}")
        running = value if math.isnan(running) else running + (1 - _LOSS_MEMORY) * (value - running)
        on_step(step + 1, running)
    average.give(model)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise _diverged(ground.level, interval, "all")
    model.eval()
    return FitState(
        model=state_of(model),
        optimiser=optimisers.state() if keeps_state else {},
        loss=running,
    )


def _diverged(level: int, interval: Interval, steps: str) -> FitError:
    """The error for a fit whose loss is no number after so many steps."""
    return FitError(
        f"The fit of timesteps {interval.low} to {interval.high - 1} at level {level} diverged: "
        f"after {steps} steps its loss or a weight is no number. Nothing of it is kept.",
        remedy="Lower --set learning_rate; with precision=bf16, try --set precision=fp32.",
    )


def window_loss(model: Model, window: Window, settings: Settings) -> Tensor:
    """Squared error of predicted x_0 where it counts, as one number.

    The published loss divides by all pixels. Ours is a mean over the pixels that count, in units
    of the network's own output (weight 1 / c_out^2, EDM table 1), so that every noise level of an
    interval is heard; what lies along the shot's rare colours counts for less than in equal units,
    and where noise drowns it for more than in equal values. The plain square, because its minimum
    is the posterior mean that sampling needs: a loss that forgives outliers learns the median, and
    what flickers goes out.
    """
    with precise(_precision(settings, window.x_t), window.x_t.device):
        predicted = model(window.x_t, window.conditioning, window.hole, window.hint, window.t)
    error = predicted.float() - window.x_0  # (B, 3, T, H, W)
    if not isinstance(model, ResidualDenoiser):
        published: Tensor = (error * window.counted).pow(2).mean()
        return published
    shares = model.gauge.shares  # in much noise half-way between equal units and equal values
    weights = (shares / shares.mean())[None, :, None, None, None]
    squares = model.in_units(error, window.hint, window.t).pow(2) * weights * window.counted
    mean: Tensor = squares.sum() / (window.counted.sum() * error.shape[1]).clamp(min=1.0)
    return mean


def _precision(settings: Settings, x: Tensor) -> Precision:
    """The arithmetic of windows like x, (B, 3, T, H, W).

    On a CPU the bfloat16 gradient of a 3x3x3 kernel over two frames is in part memory that nobody
    has written, on processors with AVX512-BF16 and no AMX (seen with torch 2.13). Windows have two
    frames where the shot has no more, or where they were asked for.
    """
    two_frames = x.shape[2] == 2 and x.device.type == "cpu"
    return Precision.FP32 if two_frames else settings.precision


def learning_rate(settings: Settings, step: int) -> float:
    """Learning rate at one step of an interval."""
    if settings.schedule is Schedule.CONSTANT:
        return settings.learning_rate
    total = settings.steps_per_interval
    rise = max(1.0, _WARM_UP * total)
    warm = min(1.0, (step + 1) / rise)
    return settings.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * step / total))


@torch.no_grad()
def normalise_weights(model: Model) -> None:
    """Put normalised convolutions back on their sphere (EDM2, section 2.3: forced normalisation).

    Otherwise weights grow with every update, and the learning rate that acts shrinks unseen.
    """
    for module in model.modules():
        if isinstance(module, Convolution):
            module.weight.copy_(normalised(module.weight))


class _Average:
    """Exponential average of the weights over the end of an interval."""

    def __init__(self, model: Model, settings: Settings) -> None:
        length = settings.ema * settings.steps_per_interval
        self.decay = math.exp(-1.0 / length) if length > 0 else 0.0
        self.weights = [p.detach().clone() for p in model.parameters()] if length > 0 else []

    @torch.no_grad()
    def update(self, model: Model) -> None:
        """Move the average towards the model's weights."""
        if self.weights:
            torch._foreach_lerp_(self.weights, list(model.parameters()), 1.0 - self.decay)

    @torch.no_grad()
    def give(self, model: Model) -> None:
        """Write the average into the model."""
        for parameter, weight in zip(model.parameters(), self.weights, strict=False):
            parameter.copy_(weight)
