"""Paper tables: two of the paper's experiments over again, with its method and with ours.

Its ablation: a network for each interval of noise against one network for all timesteps, with the
same number of optimiser steps in all. And its remark on scores: the mean of several fills is nearer
to the truth in PSNR than any of them, and worse to look at. Every fill is made by the real command;
the fills of one contender share their fits, so that each but the first costs only sampling. Run
it as

    python -m benchmarks.paper_tables CLIP ... --weights DIR [--samples 4] [--share 0.5]
        [--seconds 600] [--at-once 2] [--device cpu] [--write DIR]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.abreast import abreast
from benchmarks.attempt import Attempt, Contender, attempts_of_seeds, scored
from benchmarks.averaging import average
from benchmarks.bars import draw_bars
from benchmarks.lineup import draw_lineup, middle_of
from benchmarks.pace import Pace, paced, within
from benchmarks.stamp import put, stamped
from benchmarks.trial import FRAMES, HOLE, SIDE, Trial, make_trial
from infusion_engine.budget import evaluations
from infusion_engine.device import choose_device
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS

PRESETS_TRIED = ("paper", "draft")
SCORES = Mapping[str, float]


@dataclass(frozen=True)
class Fills:
    """What one contender made of one trial."""

    trial: str
    contender: Contender
    samples: tuple[Attempt, ...]
    """One for each seed, from the same fits."""
    averaged: Mapping[str, float]
    """Scores of the samples' mean picture."""
    folder: Path
    """Where the samples' frames lie (seed0, seed1, ...) and those of their mean (mean)."""

    @property
    def single(self) -> dict[str, float]:
        """The scores of one sample, mean over samples."""
        return _mean([sample.scores for sample in self.samples])


def one_network(preset: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The same method with one interval, and as many steps and evaluations in all."""
    several = overridden(PRESETS[preset], settings)
    return {
        **settings,
        "intervals": "1",
        "steps_per_interval": str(several.steps_per_interval * several.intervals),
        "sampling_steps": str(evaluations(several, 0)),
    }


def contenders(paper: Mapping[str, str], *, share: float) -> list[Contender]:
    """Each method with its intervals and with one network.

    Args:
        paper: numbers that replace those of the preset `paper`.
        share: of the steps of `draft`.
    """
    steps = max(1, round(PRESETS["draft"].steps_per_interval * share))
    numbers = {"paper": dict(paper), "draft": {"steps_per_interval": str(steps)}}
    found = []
    for preset in PRESETS_TRIED:
        several = numbers[preset]
        count = overridden(PRESETS[preset], several).intervals
        found.append(Contender(f"{preset}, {count} intervals", preset, several))
        found.append(
            Contender(f"{preset}, one network", preset, one_network(preset, several)),
        )
    return found


def jobs_of(
    trials: Sequence[Trial], pace_of: Callable[[int], Pace], *, seconds: float, share: float
) -> list[tuple[Trial, Contender]]:
    """Every contender at every trial, contender by contender.

    Args:
        trials: what to fill.
        pace_of: how fast `paper` goes on a trial of so many frames.
        seconds: wall time of one fill of `paper`, at each trial in that trial's own pace.
        share: of draft's optimiser steps.
    """
    paces = {frames: pace_of(frames) for frames in dict.fromkeys(t.frames for t in trials)}
    listed = [
        contenders(within(PRESETS["paper"], paces[trial.frames], seconds), share=share)
        for trial in trials
    ]
    return [
        (trial, contender)
        for same in zip(*listed, strict=True)
        for trial, contender in zip(trials, same, strict=True)
    ]


def filled(
    trial: Trial,
    contender: Contender,
    *,
    samples: int,
    weights: Path | None,
    keep: Path,
    device: str,
) -> Fills:
    """The samples of one contender at one trial, and their mean."""
    folder = keep / trial.name / contender.name.replace(", ", "-").replace(" ", "-")
    found = attempts_of_seeds(
        trial, contender, range(samples), weights=weights, keep=folder, device=device
    )
    average([folder / f"seed{seed}" / "frames" for seed in range(samples)], folder / "mean")
    averaged = scored(trial, folder / "mean", weights=weights)
    return Fills(trial.name, contender, tuple(found), averaged, folder)


def tables(fills: Sequence[Fills]) -> dict[str, Any]:
    """Both experiments, means over trials."""
    names = list(dict.fromkeys(f.contender.name for f in fills))
    of = {name: [f for f in fills if f.contender.name == name] for name in names}
    return {
        "ablation": {name: _mean([f.single for f in of[name]]) for name in names},
        "averaging": {
            name: {
                "one_sample": _mean([f.single for f in of[name]]),
                "mean_of_samples": _mean([f.averaged for f in of[name]]),
            }
            for name in names
        },
    }


def verdicts(fills: Sequence[Fills]) -> dict[str, Any]:
    """For every trial and method, whether what the paper found is found.

    Null where a figure is missing, or where it would be a share of nothing.
    """
    found: dict[str, Any] = {}
    for trial in dict.fromkeys(f.trial for f in fills):
        for preset in PRESETS_TRIED:
            here = [f for f in fills if f.trial == trial and f.contender.preset == preset]
            several, single = here
            before, after = several.single, several.averaged
            told: dict[str, Any] = {
                "averaging_raises_psnr_by": _difference(after, before, "psnr_hole"),
                "averaging_keeps_of_detail": _ratio(after, before, "detail"),
                "intervals_over_one_network_swd3d": _ratio(before, single.single, "swd3d"),
            }
            if "perceptual" in before:
                told["averaging_times_perceptual"] = _ratio(after, before, "perceptual")
                told["intervals_over_one_network_perceptual"] = _ratio(
                    before, single.single, "perceptual"
                )
            found.setdefault(trial, {})[preset] = told
    return found


def draw(fills: Sequence[Fills], trials: Sequence[Trial], folder: Path) -> None:
    """The scores as bars and one frame of everything, as PNGs in `folder`."""
    bars: dict[str, dict[str, SCORES]] = {}
    sheet: dict[str, dict[str, Path]] = {}
    for trial in trials:
        bars[trial.name] = {}
        sheet[trial.name] = {"plate": middle_of(trial.plate), "truth": middle_of(trial.truth)}
        for f in (f for f in fills if f.trial == trial.name):
            bars[trial.name] |= {f.contender.name: f.single}
            sheet[trial.name][f.contender.name] = middle_of(f.folder / "seed0" / "frames")
            if f.contender.settings.get("intervals") != "1":
                name = f"{f.contender.preset}, mean of {len(f.samples)}"
                bars[trial.name] |= {name: f.averaged}
                sheet[trial.name][name] = middle_of(f.folder / "mean")
    draw_bars(bars, folder / "paper_tables.png")
    draw_lineup(sheet, folder / "paper_tables_frames.png")


def main() -> None:
    """Fill, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="+", help="folders of pictures, or with a plate")
    parser.add_argument("--weights", type=Path, help="of the perceptual distance")
    parser.add_argument("--samples", type=int, default=4, help="seeds of each contender")
    parser.add_argument("--share", type=float, default=0.5, help="of draft's optimiser steps")
    parser.add_argument("--seconds", type=float, default=600.0, help="wall time of a paper fill")
    parser.add_argument("--at-once", type=int, default=2, help="renders at once, one thread each")
    parser.add_argument("--device", default="cpu", help="as infusion-render takes it")
    parser.add_argument("--write", type=Path, help="folder for paper_tables.json and PNGs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="infusion-tables-") as name:
        trials = [make_trial(clip, Path(name) / "trials" / clip.name) for clip in arguments.clips]
        device = choose_device(arguments.device)
        jobs = jobs_of(
            trials,
            lambda frames: paced(PRESETS["paper"], frames, device=device),
            seconds=arguments.seconds,
            share=arguments.share,
        )

        def one(job: tuple[Trial, Contender]) -> Fills:
            return filled(
                *job,
                samples=arguments.samples,
                weights=arguments.weights,
                keep=(arguments.write or Path(name)) / "attempts",
                device=arguments.device,
            )

        fills = abreast(one, jobs, at_once=arguments.at_once)
        told = result(fills, arguments)
        file = arguments.write / "paper_tables.json" if arguments.write else None
        put(stamped(told, device=str(device)), file)
        if arguments.write:  # after the figures: a picture that fails costs none of them
            draw(fills, trials, arguments.write)


def result(fills: Sequence[Fills], arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that was found."""
    return {
        "claim": "A network for each interval fills better than one for all in as many steps; the "
        "mean of samples has the better PSNR and the worse look.",
        "trials": f"{SIDE}x{SIDE} pixels, at most {FRAMES} frames, hole {HOLE}x{HOLE}",
        "samples": arguments.samples,
        "share_of_drafts_steps": arguments.share,
        "seconds_of_a_paper_fill": arguments.seconds,
        "threads": f"1 for each render, {arguments.at_once} at once",
        "means_over_trials": tables(fills),
        "verdicts": verdicts(fills),
        "attempts": [sample.described for f in fills for sample in f.samples],
    }


def _mean(scores: Sequence[SCORES]) -> dict[str, float]:
    """The mean of each figure that all have."""
    told = [name for name in scores[0] if all(name in s for s in scores)]
    return {name: round(statistics.mean(s[name] for s in scores), 4) for name in told}


def _ratio(one: SCORES, other: SCORES, figure: str) -> float | None:
    """One's figure over the other's; None where there is none, or nothing to be a share of."""
    if figure not in one or not other.get(figure):
        return None
    return round(one[figure] / other[figure], 3)


def _difference(one: SCORES, other: SCORES, figure: str) -> float | None:
    """One's figure less the other's; None where there is none."""
    if figure not in one or figure not in other:
        return None
    return round(one[figure] - other[figure], 3)


if __name__ == "__main__":
    main()
