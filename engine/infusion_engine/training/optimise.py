"""Optimisers: Muon for the convolutions' matrices, Adam for all else; or Adam alone, as published.

Muon (Jordan et al. 2024) steps along the nearest orthogonal matrix to the momentum. On this
project's small networks it gets further than Adam in the same few hundred steps
(docs/decisions/coarse-to-fine.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from infusion_engine.diffusion.denoise import Model
from infusion_engine.diffusion.residual import Convolution
from infusion_engine.settings import Optimiser, Schedule, Settings
from infusion_engine.training.muon import Muon

_MOMENTUM = 0.85  # short runs: what was true 20 steps ago no longer is


class Optimisers:
    """One or two optimisers that share a learning rate, and their state by parameter name."""

    def __init__(self, model: Model, settings: Settings) -> None:
        named = dict(model.named_parameters())
        matrices: dict[str, nn.Parameter] = {}
        if settings.optimiser is Optimiser.MUON:
            matrices = {
                f"{name}.weight": module.weight
                for name, module in model.named_modules()
                if isinstance(module, Convolution)
            }
        rest = {name: p for name, p in named.items() if name not in matrices}
        # Adam with beta_2 = 0.99 (EDM2, table 6) forgets an interval's wild first steps in time.
        betas = (0.9, 0.999) if settings.schedule is Schedule.CONSTANT else (0.9, 0.99)
        rate = settings.learning_rate
        adam = torch.optim.Adam(rest.values(), lr=rate, betas=betas)
        self._parts: list[tuple[torch.optim.Optimizer, list[str]]] = [(adam, [*rest])]
        if matrices:
            muon = Muon(matrices.values(), lr=rate, momentum=_MOMENTUM)
            self._parts.append((muon, [*matrices]))

    def step(self, loss: Tensor, rate: float) -> None:
        """One update down the gradient of `loss` at learning rate `rate`."""
        for part, _ in self._parts:
            part.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        for part, _ in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts, float32 on the CPU, as `parameter name.part`."""
        return {
            f"{name}.{key}": torch.as_tensor(value).detach().cpu().clone()
            for part, names in self._parts
            for name, values in zip(names, part.state_dict()["state"].values(), strict=True)
            for key, value in values.items()
        }

    def restore(self, carried: Mapping[str, Tensor]) -> None:
        """Put a result of :meth:`state` back."""
        for part, names in self._parts:
            state = part.state_dict()
            state["state"] = {
                i: {
                    key.rpartition(".")[2]: value.clone()
                    for key, value in carried.items()
                    if key.rpartition(".")[0] == name
                }
                for i, name in enumerate(names)
            }
            part.load_state_dict(state)
