"""Parity: bfloat16 convolutions learn and predict what float32 ones do, on this device.

The network of each of our presets is fitted to a small clip in float32 and in bfloat16, from the
same weights, windows and noise. Told are how far the predictions of one and the same fit lie apart
in both precisions, in units of what the network is asked to correct, and how the two fits' losses
on windows that neither has seen compare.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.workbench import Workbench
from infusion_engine.diffusion.denoise import Model, precise
from infusion_engine.diffusion.residual import ResidualDenoiser
from infusion_engine.settings import PRESETS, Precision, Settings
from infusion_engine.training.fit import window_loss
from infusion_engine.training.window import Window

NAMES = ("draft", "standard")
APART = 0.05
"""Root mean square difference of predictions, in the network's unit, that still is parity."""
LOSSES = (0.9, 1.1)
"""Loss of the bfloat16 fit over that of the float32 fit that still is parity."""


@dataclass(frozen=True)
class Depth:
    """How much is fitted."""

    clip: tuple[int, int, int]
    """Frames, rows and columns."""
    steps: int
    """Optimiser steps of one fit."""
    unseen: int
    """Steps' worth of windows to compare on."""


FULL = Depth(clip=(16, 96, 96), steps=150, unseen=8)
TINY = Depth(clip=(4, 32, 32), steps=4, unseen=2)


def parity(device: torch.device, depth: Depth) -> dict[str, Any]:
    """Both presets' figures, and whether all of them are parity."""
    found = {name: _of_preset(PRESETS[name], device, depth) for name in NAMES}
    return {
        "claim": f"Predictions lie at most {APART} of the network's unit apart, and the loss of a "
        f"bfloat16 fit is {LOSSES[0]} to {LOSSES[1]} of a float32 one's.",
        "steps": depth.steps,
        "clip": " x ".join(map(str, depth.clip)),
        "presets": found,
        "holds": all(one["holds"] for one in found.values()),
    }


def _of_preset(settings: Settings, device: torch.device, depth: Depth) -> dict[str, Any]:
    """The finest interval's figures: faint noise is where precision counts."""
    fine, coarse = (
        _fitted(replace(settings, precision=precision), device, depth)
        for precision in (Precision.FP32, Precision.BF16)
    )
    unseen = [fine.window(depth.steps + more) for more in range(depth.unseen)]
    fine_loss, coarse_loss = (
        statistics.mean(_loss(bench, window) for window in unseen) for bench in (fine, coarse)
    )
    apart = _apart(fine.model, unseen)
    ratio = coarse_loss / fine_loss
    return {
        "predictions_apart": round(apart, 5),
        "fp32_loss": round(fine_loss, 5),
        "bf16_loss": round(coarse_loss, 5),
        "loss_ratio": round(ratio, 4),
        "holds": apart <= APART and LOSSES[0] <= ratio <= LOSSES[1],
    }


def _fitted(settings: Settings, device: torch.device, depth: Depth) -> Workbench:
    """A network fitted to the finest interval, on its workbench."""
    bench = Workbench(settings, depth.clip, device)
    bench.fit(depth.steps)
    return bench


@torch.no_grad()
def _loss(bench: Workbench, window: Window) -> float:
    return float(window_loss(bench.model, window, bench.settings))


@torch.no_grad()
def _apart(model: Model, windows: Sequence[Window]) -> float:
    """How far one model's predictions lie apart in both precisions where they count."""
    if not isinstance(model, ResidualDenoiser):
        raise TypeError("only the residual network has a unit")
    squares, count = 0.0, 0.0
    for window in windows:
        given = (window.x_t, window.conditioning, window.hole, window.hint, window.t)
        device = window.x_t.device
        with precise(Precision.FP32, device):
            fine = model(*given).float()
        with precise(Precision.BF16, device):
            coarse = model(*given).float()
        apart = model.in_units(coarse - fine, window.hint, window.t)
        squares += float((apart.square().mean(1, True) * window.counted).sum())
        count += float(window.counted.sum())
    return float((squares / max(count, 1.0)) ** 0.5)
