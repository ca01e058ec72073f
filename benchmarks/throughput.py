"""Throughput: voxels a second in training and sampling, against the device's own peak.

Every preset is tried at its own window, crop and batch, and a matrix product in the same precision
beside it, by turns (A B C A B C ...), so that whatever else the machine does falls on all. "Share
of peak" is the network's operations a second over those of the matrix product. Run it as

    python -m benchmarks.throughput [--device cuda] [--threads 2] [--profile] [--write FILE.json]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.by_turns import BUSY
from benchmarks.flops import product_flops, product_seconds
from benchmarks.kernels import slowest_kernels
from benchmarks.stamp import put, stamped
from benchmarks.workbench import Workbench
from infusion_engine.device import choose_device
from infusion_engine.settings import PRESETS, Precision

NAMES = ("draft", "standard", "paper")
OURS = ("draft", "standard")
"""Those whose training is held against the peak, and whose kernels are told."""
TRAINING_SHARE = 0.25
"""Of the bf16 matrix peak that training with one of OURS reaches at least on a GPU: the goal."""
PRODUCTS = (Precision.FP32, Precision.BF16)
"""What a preset may be computed in, and so what peaks are wanted of."""


@dataclass(frozen=True)
class Scale:
    """How much is timed."""

    clip: tuple[int, int, int]
    """Frames, rows and columns that are sampled, and that windows are cut from."""
    rounds: int
    """Turns of each; medians are told."""
    steps: int
    """Optimiser steps of a turn, and passes of the network alone, after one of each to warm up."""
    evaluations: int
    """Denoiser evaluations of a turn, after one to warm up."""
    product: int
    """Rows and columns of the matrices."""


ON_CUDA = Scale(clip=(60, 240, 432), rounds=5, steps=10, evaluations=2, product=8192)
ON_CPU = Scale(clip=(12, 64, 64), rounds=3, steps=1, evaluations=1, product=1024)
TINY = Scale(clip=(4, 32, 32), rounds=1, steps=1, evaluations=1, product=256)

Turns = dict[tuple[str, str], list[float]]
"""Seconds of every turn by what was timed: (preset or precision, kind)."""


def timed(benches: dict[str, Workbench], scale: Scale, device: torch.device) -> Turns:
    """Every kind of work of every preset, and the matrix products, by turns."""
    taken: Turns = defaultdict(list)
    for _ in range(scale.rounds):
        for name, bench in benches.items():
            taken[name, "step"].append(bench.step_seconds(scale.steps))
        for name, bench in benches.items():
            taken[name, "network"].append(bench.network_seconds(scale.steps))
        for name, bench in benches.items():
            taken[name, "evaluation"].append(bench.evaluation_seconds(scale.evaluations))
        for precision in PRODUCTS:
            seconds = product_seconds(scale.product, precision, device)
            taken[precision.value, "product"].append(seconds)
    return taken


def rates(seconds: Sequence[float], *, voxels: int, flops: int, peak: float) -> dict[str, Any]:
    """What some timings of one kind of work come to; `peak` is in operations a second."""
    median = statistics.median(seconds)
    return {
        "voxels": voxels,
        "seconds": round(median, 6),
        "voxels_per_second": round(voxels / median),
        "gflop": round(flops / 1e9, 3),
        "gflop_per_second": round(flops / median / 1e9, 2),
        "share_of_peak": round(flops / median / peak, 4),
        "every_turn": [round(s, 6) for s in seconds],
    }


def judged(device: torch.device, scale: Scale) -> bool:
    """Whether TRAINING_SHARE is asked: on CUDA, beside a product that is large enough for a peak.

    The product of a `--tiny` run waits for its launch, and anything reaches a quarter of that.
    """
    return device.type == "cuda" and scale.product >= ON_CUDA.product


def training_holds(training: Mapping[str, Any], bf16_peak: float) -> bool:
    """Whether training with these `rates` reaches its share of the peak, in operations a second.

    The peak is that of bf16 whatever a preset was computed in: float32 is no way to a lower bar.
    """
    return bool(training["gflop_per_second"] * 1e9 >= TRAINING_SHARE * bf16_peak)


def of_preset(
    bench: Workbench, name: str, taken: Turns, peaks: Mapping[str, float], *, judging: bool
) -> dict[str, Any]:
    """One preset's figures.

    Args:
        bench: of the preset.
        name: of the preset.
        taken: all timings.
        peaks: operations a second of the matrix product by precision.
        judging: whether it is told if training reaches its share; null where not.
    """
    peak = peaks[bench.settings.precision.value]
    batch, _, *size = bench.window().x_t.shape
    trained = batch * size[0] * size[1] * size[2]
    step, evaluation = bench.step_flops(), bench.evaluation_flops()
    found: dict[str, Any] = {
        "precision": bench.settings.precision.value,
        "window": " x ".join(map(str, (batch, *size))),
        "training": rates(taken[name, "step"], voxels=trained, flops=step, peak=peak),
        "network_alone": rates(taken[name, "network"], voxels=trained, flops=step, peak=peak),
        "sampling": rates(
            taken[name, "evaluation"], voxels=bench.evaluated, flops=evaluation, peak=peak
        ),
    }
    if name in OURS:
        bf16_peak = peaks[Precision.BF16.value]
        holds = training_holds(found["training"], bf16_peak) if judging else None
        found["training_holds"] = holds
    return found


def result(device: torch.device, scale: Scale, *, profiled: bool) -> dict[str, Any]:
    """All figures, stamped."""
    before = os.getloadavg()[0]
    benches = {name: Workbench(PRESETS[name], scale.clip, device) for name in NAMES}
    taken = timed(benches, scale, device)
    peaks = {
        precision.value: product_flops(scale.product)
        / statistics.median(taken[precision.value, "product"])
        for precision in PRODUCTS
    }
    found: dict[str, Any] = {
        "claim": "A share of the device's own peak, in the same run and the same precision.",
        "rounds": scale.rounds,
        "sampled_clip": " x ".join(map(str, scale.clip)),
        "matrix_product": {
            "side": scale.product,
            "gflop_per_second": {name: round(peak / 1e9, 2) for name, peak in peaks.items()},
        },
        "presets": {
            name: of_preset(bench, name, taken, peaks, judging=judged(device, scale))
            for name, bench in benches.items()
        },
    }
    if profiled:
        found["kernels"] = {name: slowest_kernels(benches[name], scale.steps) for name in OURS}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    found |= {
        "load_before": round(before, 2),
        "busy_machine": before > BUSY * (os.cpu_count() or 1),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch": torch.__version__,
    }
    return stamped(found, device=f"{device}, {name}")


def scale_for(device: torch.device, *, tiny: bool) -> Scale:
    """How much is timed on a device."""
    if tiny:
        return TINY
    return ON_CUDA if device.type == "cuda" else ON_CPU


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--profile", action="store_true", help="on a CPU, too; CUDA always does")
    parser.add_argument("--tiny", action="store_true", help="a few small steps, to try the path")
    parser.add_argument("--write", type=Path, help="JSON file for the stamped result")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    scale = scale_for(device, tiny=arguments.tiny)
    put(result(device, scale, profiled=arguments.profile or device.type == "cuda"), arguments.write)


if __name__ == "__main__":
    main()
