"""Network: what ours gains over its equations taken one by one, on this machine.

Times our network against `plain_network` by turns: forwards on a crop and on a large clip, as in
sampling, and forwards and backwards on a crop, as in training. Run it as

    python -m benchmarks.network [--device cpu] [--threads 2] [--write FILE.json]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.by_turns import command, compared, ratio, told
from benchmarks.plain_network import plain_network
from infusion_engine.arithmetic import chosen
from infusion_engine.diffusion.denoise import precise
from infusion_engine.diffusion.residual import INPUTS, LEVEL_CHANNELS, ResidualUNet
from infusion_engine.settings import PRESETS, Precision

LARGE = (40, 192, 192)
"""Frames, rows and columns of a clip as a large hole has them."""

Network = Callable[[Tensor, Tensor], Tensor]


def sampled(network: Network, x: Tensor, level: Tensor, precision: Precision) -> Tensor:
    """What a network says, as sampling asks it."""
    with torch.no_grad(), precise(precision, x.device):
        return network(x, level)


def learnt(network: Network, x: Tensor, level: Tensor, precision: Precision) -> None:
    """A pass down the network and up again."""
    with precise(precision, x.device):
        said = network(x, level)
    torch.autograd.backward(said.float().square().mean())


def figures(size: tuple[int, int, int], device: torch.device, *, learns: bool) -> dict[str, Any]:
    """Medians of both ways, their ratio, and every timing."""
    draft = chosen(PRESETS["draft"], device)
    network = ResidualUNet(channels=draft.channels).to(device)
    with torch.no_grad():
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)
    x = torch.randn(1, INPUTS, *size, device=device).to(memory_format=torch.channels_last_3d)
    level = torch.randn(1, LEVEL_CHANNELS, device=device)
    do = learnt if learns else sampled
    ways = (partial(plain_network, network), network)
    steps = [partial(do, way, x, level, draft.precision) for way in ways]
    plain, ours = compared(steps[0], steps[1], device)
    by = ratio(plain, ours)
    return {
        "precision": draft.precision.value,
        "plain_over_ours": by["ratio"],
        "least_and_most_of_pairs": by["least_and_most_of_pairs"],
        "plain_seconds": [round(seconds, 4) for seconds in plain],
        "our_seconds": [round(seconds, 4) for seconds in ours],
    }


def result(device: torch.device, large: tuple[int, int, int] = LARGE) -> dict[str, Any]:
    """All figures, stamped."""
    draft = PRESETS["draft"]
    crop = (draft.window_frames, draft.crop_pixels, draft.crop_pixels)

    def runs(device: torch.device) -> dict[str, Any]:
        return {
            f"{'training' if learns else 'sampling'}, {' x '.join(map(str, size))}": figures(
                size, device, learns=learns
            )
            for size, learns in ((crop, True), (crop, False), (large, False))
        }

    return told(
        "Fewer passes over features are faster than the equations one by one.", runs, device
    )


if __name__ == "__main__":
    command(__doc__, result)
