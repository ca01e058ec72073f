"""Precision: what bfloat16 convolutions gain over float32 in training, on this machine.

Times training steps of the draft preset's network and forward-and-backward passes of the published
one, at the finest intervals' shapes, in both precisions by turns (A B A B ...), so that whatever
else the machine does falls on both. Run it as

    python -m benchmarks.precision [--device cpu] [--threads 2] [--write FILE.json]
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.by_turns import Step, command, compared, ratio, told
from benchmarks.workbench import Workbench
from infusion_engine.diffusion.denoise import Model
from infusion_engine.settings import PRESETS, Precision, Settings
from infusion_engine.training.fit import normalise_weights, window_loss
from infusion_engine.training.optimise import Optimisers
from infusion_engine.training.window import Window

CLIP = (8, 96, 96)
"""Frames, rows and columns of the clip that windows are cut from."""
PUBLISHED_WINDOW = (4, 64, 64)
"""Frames, rows and columns of the published network's small window."""


def training_step(settings: Settings, device: torch.device) -> Step:
    """One optimiser step of `settings` at its finest interval, windows drawn beforehand."""
    model, window = _prepared(settings, device)
    optimisers = Optimisers(model, settings)

    def step() -> None:
        optimisers.step(window_loss(model, window, settings), settings.learning_rate)
        normalise_weights(model)

    return step


def forward_and_backward(settings: Settings, device: torch.device) -> Step:
    """One pass of the network down and up again, without an optimiser."""
    model, window = _prepared(settings, device)

    def step() -> None:
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(window_loss(model, window, settings))

    return step


def _prepared(settings: Settings, device: torch.device) -> tuple[Model, Window]:
    """The network, after one step of a fit that measures its gauge, and one step's windows."""
    bench = Workbench(settings, CLIP, device)
    bench.fit(1)
    bench.model.train()
    return bench.model, bench.window()


def figures(
    make: Callable[[Settings, torch.device], Step], settings: Settings, device: torch.device
) -> dict[str, Any]:
    """Both precisions of one kind of step: medians a second, their ratio, and every timing."""
    steps = [
        make(replace(settings, precision=precision), device)
        for precision in (Precision.FP32, Precision.BF16)
    ]
    fp32, bf16 = compared(steps[0], steps[1], device)
    slow, fast = statistics.median(fp32), statistics.median(bf16)
    by = ratio(fp32, bf16)
    return {
        "fp32_per_second": round(1.0 / slow, 3),
        "bf16_per_second": round(1.0 / fast, 3),
        "bf16_over_fp32": by["ratio"],
        "least_and_most_of_pairs": by["least_and_most_of_pairs"],
        "fp32_seconds": [round(s, 4) for s in fp32],
        "bf16_seconds": [round(s, 4) for s in bf16],
    }


def result(device: torch.device) -> dict[str, Any]:
    """All figures, stamped."""
    return told("bfloat16 convolutions train faster than float32 ones.", _runs, device)


def _runs(device: torch.device) -> dict[str, Any]:
    """A training step of `draft`, and both ways through the published network."""
    draft, frames, side = PRESETS["draft"], PUBLISHED_WINDOW[0], PUBLISHED_WINDOW[1]
    small = replace(PRESETS["paper"], window_frames=frames, crop_pixels=side)
    return {
        f"draft, training step ({draft.batch} x {draft.window_frames} x "
        f"{draft.crop_pixels} x {draft.crop_pixels})": figures(training_step, draft, device),
        f"published network, forward and backward (1 x {frames} x {side} x {side})": figures(
            forward_and_backward, small, device
        ),
    }


if __name__ == "__main__":
    command(__doc__, result)
