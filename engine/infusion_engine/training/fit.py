"""Fitting a denoiser to one interval of one shot, one optimiser step at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.denoise import Model, precise, state_of
from infusion_engine.diffusion.interval import LEAST_SAMPLED_TIMESTEP, Interval
from infusion_engine.diffusion.patches import PATCH_SIZES, choose_basis, padded
from infusion_engine.diffusion.residual import Convolution, ResidualDenoiser, normalised
from infusion_engine.diffusion.schedule import sigma
from infusion_engine.settings import Objective, Schedule, Settings
from infusion_engine.training.rough import roughly_filled
from infusion_engine.training.window import Window, draw_window

_WARM_UP = 0.05  # share of an interval's steps over which the learning rate rises
_OUTLIER = 2.0  # deviations of a component beyond which its error counts linearly
_LOSS_MEMORY = 0.98  # how much of the reported loss is the past


@dataclass(frozen=True)
class FitState:
    """What a fit leaves behind, and what the next interval's fit starts from."""

    model: Mapping[str, Tensor]
    """The fitted model (`denoise.state_of`), float32 on the CPU."""
    optimiser: Mapping[str, Tensor]
    """Adam's moments and step count by name; empty where the optimiser starts afresh."""
    loss: float
    """Running mean of the loss at the end."""


def fit_interval(
    model: Model,
    x_0: Tensor,
    hole: Tensor,
    *,
    settings: Settings,
    interval: Interval,
    fit_seed: int,
    carried: Mapping[str, Tensor],
    on_step: Callable[[int, float], None],
) -> FitState:
    """Fit `model`, in place, to one interval.

    Args:
        model: holds the weights to start from; holds the fitted ones afterwards.
        x_0: (3, T, H, W) encoded clip on the model's device, 0 under the matte.
        hole: (1, T, H, W), 1 = not known.
        settings: every number of the fit.
        interval: timesteps to learn.
        fit_seed: with the interval and the step, decides every random choice.
        carried: optimiser state of the noisier interval, used where the schedule is constant.
        on_step: called with steps done and the running loss; may raise to stop.

    Returns:
        What the fit leaves behind.
    """
    if isinstance(model, ResidualDenoiser):
        # Chosen on the CPU, whose eigenvectors do not depend on the device.
        least = sigma(max(interval.low, LEAST_SAMPLED_TIMESTEP))
        model.patches = choose_basis(x_0.cpu(), hole.cpu(), least_sigma=least).to(x_0.device)
    # Without grey under the matte, what is learnt beside it still holds in sampling.
    clean = x_0 if settings.objective is Objective.KNOWN else roughly_filled(x_0, hole)
    # Adam with beta_2 = 0.99 (EDM2, table 6) forgets an interval's wild first steps in time.
    betas = (0.9, 0.999) if settings.schedule is Schedule.CONSTANT else (0.9, 0.99)
    adam = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=betas)
    names = [name for name, _ in model.named_parameters()]
    if settings.schedule is Schedule.CONSTANT and carried:
        _restore(adam, names, carried)
    average = _Average(model, settings)
    running = math.nan
    model.train()
    for step in range(settings.steps_per_interval):
        for group in adam.param_groups:
            group["lr"] = learning_rate(settings, step)
        window = draw_window(
            clean,
            hole,
            settings=settings,
            interval=interval,
            fit_seed=fit_seed,
            step=step,
            reach=reach(model),
        )
        loss = window_loss(model, window, settings)
        adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        adam.step()
        normalise_weights(model)
        average.update(model)
        value = float(loss.detach())
        running = value if math.isnan(running) else running + (1 - _LOSS_MEMORY) * (value - running)
        on_step(step + 1, running)
    average.give(model)
    model.eval()
    return FitState(
        model=state_of(model),
        optimiser=_state(adam, names) if settings.schedule is Schedule.CONSTANT else {},
        loss=running,
    )


def window_loss(model: Model, window: Window, settings: Settings) -> Tensor:
    """Squared error of predicted x_0 where it counts, as one number.

    The published loss divides by all pixels. Ours is a mean over the pixels that count, in units
    of the network's own output (weight 1 / c_out^2, EDM table 1), so that every noise level of an
    interval is heard.
    """
    with precise(settings.precision, window.x_t.device):
        predicted = model(window.x_t, window.conditioning, window.hole, window.t)
    error = predicted.float() - window.x_0  # (B, 3, T, H, W)
    if not isinstance(model, ResidualDenoiser):
        published: Tensor = (error * window.counted).pow(2).mean()
        return published
    patches = model.patches
    size = (1, patches.size, patches.size)
    # Only whole patches count: a patch cut off by the matte's edge has energy in components that
    # no real patch has.
    whole = (F.avg_pool3d(padded(window.counted, patches.size), size) == 1.0).float()
    _, c_out = model.scalings(window.t)
    z = patches.components(padded(error, patches.size))  # (B, 12, T, H/P, W/P)
    # Between the plain loss, which hears flat colour alone, and one that hears all alike.
    weight = patches.spread / patches.spread.mean()  # (12,)
    # Quadratic up to _OUTLIER deviations and linear beyond (pseudo-Huber, Charbonnier et al. 1997):
    # a flame's rare edges would otherwise drown all that is dark between them.
    bent = 2.0 * _OUTLIER**2 * (torch.sqrt(1.0 + (z / (c_out * _OUTLIER)) ** 2) - 1.0)
    squares = bent * weight[None, :, None, None, None] * whole
    mean: Tensor = squares.sum() / (whole.sum() * z.shape[1]).clamp(min=1.0)
    return mean


def reach(model: Model) -> int:
    """How much larger windows are than the settings say: as many patches, whatever their size."""
    if not isinstance(model, ResidualDenoiser):
        return 1
    return model.patches.size // PATCH_SIZES[-1]


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


def _state(adam: torch.optim.Adam, names: list[str]) -> dict[str, Tensor]:
    """Adam's state by parameter name, on the CPU."""
    states = adam.state_dict()["state"]
    return {
        f"{name}.{part}": states[i][part].detach().cpu().clone()
        for i, name in enumerate(names)
        for part in ("step", "exp_avg", "exp_avg_sq")
    }


def _restore(adam: torch.optim.Adam, names: list[str], carried: Mapping[str, Tensor]) -> None:
    """Put a state of :func:`_state` back."""
    state = adam.state_dict()
    state["state"] = {
        i: {part: carried[f"{name}.{part}"].clone() for part in ("step", "exp_avg", "exp_avg_sq")}
        for i, name in enumerate(names)
    }
    adam.load_state_dict(state)
