"""One interface for every denoiser: predicted x_0 from x_t, what is known, and the timestep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor, nn

from infusion_engine.diffusion import noise
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.residual import (
    Convolution,
    Gauge,
    ResidualDenoiser,
    plain_gauge,
)
from infusion_engine.diffusion.unet import PublishedUNet
from infusion_engine.settings import Network, Precision, Settings


class Denoiser(Protocol):
    """Anything that predicts x_0; a network, or an oracle in a test."""

    def __call__(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        """Predicted x_0.

        Args:
            x_t: (B, 3, T, H, W) noisy clip.
            conditioning: (B, 3, T, H, W) clip where it is known, else 0.
            hole: (B, 1, T, H, W), 1 = missing.
            hint: what else is known of the hole.
            t: (B,) timesteps.

        Returns:
            (B, 3, T, H, W), nobody else's: a sampler writes into it.
        """
        ...


Model = PublishedUNet | ResidualDenoiser
"""A denoiser with weights."""


def build(network: Network, *, channels: int) -> Model:
    """A denoiser with uninitialised weights."""
    if network is Network.PUBLISHED:
        return PublishedUNet(channels=channels)
    return ResidualDenoiser(channels=channels)


def state_of(model: Model) -> dict[str, Tensor]:
    """All that a fitted model is, as named float32 tensors on the CPU; see `load_state`."""
    state = {f"weights.{k}": v.detach().cpu().clone() for k, v in model.state_dict().items()}
    if isinstance(model, ResidualDenoiser):
        parts = fields(Gauge)
        state |= {f"gauge.{f.name}": getattr(model.gauge, f.name).cpu() for f in parts}
    return state


def load_state(model: Model, state: Mapping[str, Tensor]) -> None:
    """Make `model` what `state_of` was taken of; it stays on its device."""
    weights = {k.partition(".")[2]: v for k, v in state.items() if k.startswith("weights.")}
    model.load_state_dict(weights)
    if isinstance(model, ResidualDenoiser):
        gauge = Gauge(**{f.name: state[f"gauge.{f.name}"] for f in fields(Gauge)})
        model.gauge = gauge.to(next(model.parameters()).device)


@torch.no_grad()
def initialise(model: Model, fit_seed: int) -> None:
    """Starting weights from the counter-based noise: the same on every machine.

    The published network keeps torch's default (uniform within 1 / sqrt(fan-in)); ours draws unit
    normals, which are normalised at every use, and starts from a last layer of zeros and without
    a gauge of any shot.
    """
    if isinstance(model, ResidualDenoiser):
        model.gauge = plain_gauge().to(next(model.parameters()).device)
    for name, parameter in model.named_parameters():
        values = noise.gaussian(
            noise.key("weights", fit_seed, name),
            frames=range(1),
            rows=range(1),
            columns=range(parameter.numel()),
            channels=1,
            device=torch.device("cpu"),
        ).reshape(parameter.shape)
        if isinstance(model, PublishedUNet):
            # The normal distribution function makes the normals uniform.
            uniform = torch.erf(values * 0.5**0.5)  # in (-1, 1)
            parameter.copy_(uniform / _fan_in(model, name) ** 0.5)
        elif isinstance(model.get_submodule(name.rpartition(".")[0]), Convolution):
            parameter.copy_(values)
        elif name.startswith("network.last") or name.endswith("bias"):
            parameter.zero_()
        else:
            parameter.copy_(values * 0.1)


def _fan_in(model: nn.Module, name: str) -> int:
    """Inputs of the convolution that the named weight or bias belongs to."""
    weight = model.get_submodule(name.rpartition(".")[0]).get_parameter("weight")
    return weight[0].numel()


def evaluation_bytes(model: Model, settings: Settings) -> float:
    """Bytes that an evaluation takes for each voxel it looks at, beside its arguments."""
    width = 2 if settings.precision is Precision.BF16 else 4
    reach = model.reach
    return reach.values * settings.channels * width + reach.besides * 4


def precise(precision: Precision, device: torch.device) -> torch.autocast:
    """The arithmetic of the convolutions, as a context; weights stay float32.

    Raises:
        ValueError: it was left to the device and has not been chosen yet.
    """
    if precision is Precision.AUTO:
        raise ValueError("arithmetic is chosen before there is anything to compute")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision is Precision.BF16)
