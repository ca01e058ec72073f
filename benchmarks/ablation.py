"""Ablation: `draft` with one thing changed at a time, each with the same time for fitting.

Steps are scaled by what a step costs, so that larger crops do not win by taking longer. Two seeds
share the fits, and so do all variants that fit alike: what one of them took says nothing. Every
attempt runs in a process of its own, at most --at-once of them. Run it as

    python -m benchmarks.ablation CLIP ... --weights DIR [--only NAME ...] [--write DIR]

On a GPU (`--device cuda`) ask for one render at once (`--at-once 1`): two would share it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.abreast import abreast
from benchmarks.attempt import FIGURES, Attempt, Contender, attempts_of_seeds
from benchmarks.bars import draw_bars
from benchmarks.pace import paced
from benchmarks.stamp import commit_here, put, stamped
from benchmarks.trial import FRAMES, HOLE, SIDE, Trial, make_trial
from infusion_engine.budget import batches
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS

VARIANTS: Mapping[str, Mapping[str, str]] = {
    "draft": {},
    "one interval": {"intervals": "1", "sampling_steps": "80"},
    "two intervals": {"intervals": "2", "sampling_steps": "27"},
    "eight intervals": {"intervals": "8", "sampling_steps": "9"},
    "equal timesteps": {"spacing": "timestep"},
    "loss wherever known": {"objective": "known"},
    "adam 2e-3": {"optimiser": "adam", "learning_rate": "0.002"},
    "muon 5e-3": {"learning_rate": "0.005"},
    "muon 2e-2": {"learning_rate": "0.02"},
    "constant rate": {"schedule": "constant"},
    "no average": {"ema": "0"},
    "crop 32": {"crop_pixels": "32"},
    "crop 56": {"crop_pixels": "56"},
    "window 4": {"window_frames": "4"},
    "window 12": {"window_frames": "12"},
    "batch 2": {"batch": "2"},
    "channels 24": {"channels": "24"},
    "channels 48": {"channels": "48"},
    "fp32": {"precision": "fp32"},
    "ancestral": {"sampler": "ancestral"},
    "deterministic": {"sampler": "deterministic"},
    "three layouts": {"layouts": "3"},
    "layout as it is predicted": {"settling_rounds": "0"},
    "last evaluation at 1": {"last_timestep": "1"},
    "no interval twice": {"resamplings": "0"},
    "what stands still not held": {"still_frames": "0"},
    "the seam left as it is": {"seam_pixels": "0"},
    "fits from a base": {"fits_start": "base"},
    "fits from scratch": {"fits_start": "scratch"},
    "half the evaluations": {"sampling_steps": "8"},
    "twice the evaluations": {"sampling_steps": "32"},
}
"""What is changed, by name."""
SEEDS = (0, 1)
_CPU = torch.device("cpu")
_STEPS_COST = (
    *("network", "channels", "optimiser", "precision", "objective"),
    *("window_frames", "crop_pixels", "batch"),
)
"""What the time of a step hangs on: where these are draft's, so is the time, and none is taken."""


def contenders(
    names: Sequence[str], *, share: float, frames: int, device: torch.device = _CPU
) -> list[Contender]:
    """The variants with `share` of draft's fitting time each, on a trial of so many frames."""
    draft = PRESETS["draft"]
    torch.set_num_threads(1)
    of_draft = paced(draft, frames, device=device).step_seconds
    # A fit that all start from takes its time too, and a step of several batches as long as each.
    budget = batches(draft, 0) * draft.steps_per_interval * of_draft * share
    found = []
    for name in names:
        settings = overridden(draft, VARIANTS[name])
        as_draft = VARIANTS[name].keys().isdisjoint(_STEPS_COST)
        step = of_draft if as_draft else paced(settings, frames, device=device).step_seconds
        steps = max(1, round(budget / batches(settings, 0) / step))
        changed = {**VARIANTS[name], "steps_per_interval": str(steps)}
        found.append(Contender(name, "draft", changed))
    return found


def table(attempts: Sequence[Attempt]) -> dict[str, dict[str, float]]:
    """Each contender's figures, mean over the attempts' trials and seeds."""
    names = list(dict.fromkeys(a.contender for a in attempts))
    return {
        name: {
            figure: round(
                statistics.mean(a.scores[figure] for a in attempts if a.contender == name), 4
            )
            for figure in FIGURES
        }
        for name in names
    }


def tables(attempts: Sequence[Attempt]) -> dict[str, dict[str, dict[str, float]]]:
    """Each contender's figures at each trial, mean over seeds, by trial."""
    trials = list(dict.fromkeys(a.trial for a in attempts))
    return {trial: table([a for a in attempts if a.trial == trial]) for trial in trials}


def main() -> None:
    """Try, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="+", help="folders of pictures, or with a plate")
    parser.add_argument("--weights", type=Path, required=True, help="of the perceptual distance")
    parser.add_argument("--share", type=float, default=0.5, help="of draft's fitting time")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, help="variants; default: all")
    parser.add_argument("--at-once", type=int, default=2, help="renders at once, one thread each")
    parser.add_argument("--device", type=torch.device, default=_CPU, help="cpu or cuda (cpu)")
    parser.add_argument("--write", type=Path, help="folder for ablation.json and .png, and sheets")
    arguments = parser.parse_args()
    names = arguments.only or list(VARIANTS)
    began_at = commit_here()
    with tempfile.TemporaryDirectory(prefix="infusion-ablation-") as name:
        trials = [make_trial(clip, Path(name) / "trials" / clip.name) for clip in arguments.clips]
        keep = (arguments.write or Path(name)) / "attempts"
        listed = contenders(
            names,
            share=arguments.share,
            frames=min(t.frames for t in trials),
            device=arguments.device,
        )

        def one(job: tuple[Trial, Contender]) -> list[Attempt]:
            trial, contender = job
            return attempts_of_seeds(
                trial,
                contender,
                SEEDS,
                weights=arguments.weights,
                keep=keep / trial.name / contender.name.replace(" ", "-"),
                cache=Path(name) / "cache" / trial.name,
                device=str(arguments.device),
            )

        jobs = [(trial, contender) for contender in listed for trial in trials]
        both = abreast(one, jobs, at_once=arguments.at_once)
        attempts = [a for found in both for a in found]
    found = result(
        attempts,
        share=arguments.share,
        at_once=arguments.at_once,
        device=str(arguments.device),
        began_at=began_at,
    )
    put(found, _file(arguments.write))
    if arguments.write:
        draw_bars(tables(attempts), arguments.write / "ablation.png")


def result(
    attempts: Sequence[Attempt],
    *,
    share: float,
    at_once: int,
    began_at: str,
    device: str = "cpu",
) -> dict[str, Any]:
    """Everything that was found, stamped."""
    return stamped(
        {
            "asked": "Is each number behind draft better than what it was changed to, or as good?",
            "trials": f"{SIDE}x{SIDE} pixels, at most {FRAMES} frames, hole {HOLE}x{HOLE}",
            "share_of_drafts_fitting": share,
            "threads": f"1 for each render, {at_once} at once",
            "means_over_trials_and_seeds": table(attempts),
            "attempts": [a.described for a in attempts],
        },
        device=device,
        began_at=began_at,
    )


def _file(folder: Path | None) -> Path | None:
    return folder / "ablation.json" if folder else None


if __name__ == "__main__":
    main()
