"""Network: what ours gains over its equations taken one by one, on this machine.

Times our network against `plain_network` by turns (A B A B ...),
so that whatever else the machine does falls on both: forwards on a crop and on a large clip, as in
sampling, and forwards and backwards on a crop, as in training. Run it as

    python -m benchmarks.network [--device cpu] [--threads 2] [--write FILE.json]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.plain_network import plain_network
from benchmarks.precision import BUSY, ROUNDS, compared
from benchmarks.stamp import put, stamped
from infusion_engine.arithmetic import chosen
from infusion_engine.device import choose_device
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
    return {
        "precision": draft.precision.value,
        "plain_over_ours": round(statistics.median(plain) / statistics.median(ours), 2),
        "least_and_most_of_pairs": [
            round(bound(a / b for a, b in zip(plain, ours, strict=True)), 2) for bound in (min, max)
        ],
        "plain_seconds": [round(seconds, 4) for seconds in plain],
        "our_seconds": [round(seconds, 4) for seconds in ours],
    }


def result(device: torch.device, large: tuple[int, int, int] = LARGE) -> dict[str, Any]:
    """All figures, stamped."""
    draft = PRESETS["draft"]
    crop = (draft.window_frames, draft.crop_pixels, draft.crop_pixels)
    before = os.getloadavg()[0]
    runs = {
        f"{'training' if learns else 'sampling'}, {' x '.join(map(str, size))}": figures(
            size, device, learns=learns
        )
        for size, learns in ((crop, True), (crop, False), (large, False))
    }
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return stamped(
        {
            "claim": "Fewer passes over features are faster than the equations one by one.",
            "rounds": ROUNDS,
            "runs": runs,
            "load_before": round(before, 2),
            "busy_machine": before > BUSY * (os.cpu_count() or 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
        device=f"{device}, {name}",
    )


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--write", type=Path, help="JSON file for the stamped result")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    put(result(choose_device(arguments.device)), arguments.write)


if __name__ == "__main__":
    main()
