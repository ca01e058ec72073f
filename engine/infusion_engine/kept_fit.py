"""A fit as the cache keeps it: the model and the optimisers as arrays by name, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from infusion_engine.cache.tensor_file import Tensors
from infusion_engine.training.fit import FitState


def tensors_of(state: FitState) -> Tensors:
    """What a fit leaves behind, as one set of arrays."""
    tensors: Tensors = {f"model.{k}": v.numpy() for k, v in state.model.items()}
    return tensors | {f"optimiser.{k}": v.numpy() for k, v in state.optimiser.items()}


def parts_of(tensors: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(the model's, the optimisers') of a result of `tensors_of`."""
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimiser": {}}
    for name, array in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = torch.from_numpy(array)
    return parts["model"], parts["optimiser"]
