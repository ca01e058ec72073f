"""Recipe: `paper` against `draft` or `standard` on the same trials, scores against time.

Every render of one trial runs in its own process with its own cold cache, as many at once as asked
for, so that whatever else the machine does falls on all of them. Ours runs as it is shipped and
with shares of its steps; `paper` with the time that its first share took and multiples of it. On a
GPU ask for one render at once: two would share it. Run it as

    python -m benchmarks.recipe CLIP ... --weights DIR [--preset standard --device cuda --at-once 1]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.abreast import abreast
from benchmarks.attempt import Attempt, Contender, attempt
from benchmarks.curves import draw_curves
from benchmarks.pace import paced, within
from benchmarks.stamp import commit_here, put, stamped
from benchmarks.trial import FRAMES, HOLE, SIDE, Trial, make_trial
from infusion_engine.settings import PRESETS

SHARES = (1.0, 0.5, 0.25, 0.125)
"""Parts of our optimiser steps that are tried; the first one's time is what `paper` gets."""
MULTIPLES = (1.0, 3.0, 10.0)
"""Of the first attempt's wall time that `paper` gets."""
OURS = ("draft", "standard")
"""Presets that `paper` is raced against."""
_CPU = torch.device("cpu")


def drafts(shares: Sequence[float] = SHARES, preset: str = "draft") -> list[Contender]:
    """`preset`, of OURS, with shares of its steps, in order; 1 is the preset itself."""
    steps = PRESETS[preset].steps_per_interval
    return [
        Contender(
            preset,
            preset,
            {} if share == 1.0 else {"steps_per_interval": str(round(steps * share))},
        )
        for share in shares
    ]


def papers(
    trial: Trial,
    seconds: float,
    multiples: Sequence[float] = MULTIPLES,
    device: torch.device = _CPU,
) -> list[Contender]:
    """`paper` with multiples of `seconds` on `device`, longest first."""
    settings = PRESETS["paper"]
    pace = paced(settings, trial.frames, device=device)
    return [
        Contender("paper", "paper", within(settings, pace, seconds * multiple))
        for multiple in sorted(multiples, reverse=True)
    ]


def raced(
    trials: Sequence[Trial],
    *,
    shares: Sequence[float],
    multiples: Sequence[float],
    weights: Path,
    at_once: int,
    keep: Path,
    preset: str = "draft",
    device: torch.device = _CPU,
) -> list[Attempt]:
    """Every attempt at every trial.

    Ours with the first share comes first for each trial: its time is what `paper` gets.
    """

    def one(job: tuple[Trial, Contender]) -> Attempt:
        trial, contender = job
        place = keep / trial.name / _named(contender)
        done = attempt(trial, contender, weights=weights, threads=1, keep=place, device=str(device))
        print(json.dumps(done.described), flush=True)
        return done

    leading, *others = drafts(shares, preset)
    torch.set_num_threads(1)
    first = abreast(one, [(trial, leading) for trial in trials], at_once=at_once)
    waiting = [
        (trial, contender)
        for trial, done in zip(trials, first, strict=True)
        for contender in papers(trial, done.seconds, multiples, device)
    ]
    # Longest first, so that no long one is left alone at the end.
    waiting.sort(key=lambda job: -int(job[1].settings["steps_per_interval"]))
    waiting += [(trial, contender) for trial in trials for contender in others]
    return first + abreast(one, waiting, at_once=at_once)


def _named(contender: Contender) -> str:
    """A folder's name for an attempt."""
    return "-".join([contender.name, *contender.settings.values()])


def verdict(attempts: Iterable[Attempt], trial: str) -> dict[str, Any]:
    """What the attempts at one trial say of ours against `paper`."""
    mine = [a for a in attempts if a.trial == trial and a.contender in OURS]
    theirs = [a for a in attempts if a.trial == trial and a.contender == "paper"]
    whole = max(mine, key=lambda a: a.seconds)
    longest = max(theirs, key=lambda a: a.seconds)
    found: dict[str, Any] = {
        whole.contender: whole.described,
        "in_the_same_time": _in_the_same_time(mine, theirs),
        "paper_in_its_longest_time": longest.described,
    }
    for figure in ("perceptual", "swd3d"):
        best = min(a.scores[figure] for a in theirs)
        found[f"{figure}_best_of_paper"] = best
        found[f"{figure}_seconds_from_which_{whole.contender}_is_better"] = _passed(
            mine, figure, best
        )
    return found


def _in_the_same_time(drafts: Sequence[Attempt], papers: Sequence[Attempt]) -> dict[str, Any]:
    """The draft and the paper whose seconds differ by the smallest factor, and that factor.

    It is told because the nearest may still be far: no race gives two renders the same seconds.
    """

    def apart(pair: tuple[Attempt, Attempt]) -> float:
        mine, theirs = pair
        return abs(math.log(theirs.seconds / mine.seconds))

    mine, theirs = min(itertools.product(drafts, papers), key=apart)
    return {
        mine.contender: mine.described,
        "paper": theirs.described,
        f"seconds_of_paper_over_{mine.contender}": round(theirs.seconds / mine.seconds, 2),
    }


def _passed(attempts: Iterable[Attempt], figure: str, best: float) -> float | None:
    """Seconds of the shortest attempt that is as good as `best`, as are all longer ones."""
    passed = None
    for one in sorted(attempts, key=lambda a: -a.seconds):
        if one.scores[figure] > best:
            break
        passed = one.seconds
    return passed


def main() -> None:
    """Race, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="+", help="folders of pictures, or with a plate")
    parser.add_argument("--weights", type=Path, required=True, help="of the perceptual distance")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of our steps")
    parser.add_argument(
        "--multiples",
        type=float,
        nargs="+",
        default=MULTIPLES,
        help="of the time that the first share took, for paper",
    )
    parser.add_argument("--preset", choices=OURS, default="draft", help="ours (draft)")
    parser.add_argument("--device", type=torch.device, default=_CPU, help="cpu or cuda (cpu)")
    parser.add_argument("--at-once", type=int, default=2, help="renders at once, one thread each")
    parser.add_argument("--write", type=Path, help="folder for recipe.json, recipe.png and sheets")
    arguments = parser.parse_args()
    began_at = commit_here()
    with tempfile.TemporaryDirectory(prefix="infusion-recipe-") as name:
        trials = [make_trial(clip, Path(name) / "trials" / clip.name) for clip in arguments.clips]
        attempts = raced(
            trials,
            shares=arguments.shares,
            multiples=arguments.multiples,
            weights=arguments.weights,
            at_once=arguments.at_once,
            keep=(arguments.write or Path(name)) / "attempts",
            preset=arguments.preset,
            device=arguments.device,
        )
    result = stamped(
        {
            "asked": f"Does {arguments.preset} fill better than the published method in the "
            "same time, and in a tenth of its time?",
            "trials": f"{SIDE}x{SIDE} pixels, at most {FRAMES} frames, hole {HOLE}x{HOLE}",
            "threads": f"1 for each render, {arguments.at_once} at once",
            "verdicts": {trial.name: verdict(attempts, trial.name) for trial in trials},
            "attempts": [a.described for a in attempts],
        },
        device=str(arguments.device),
        began_at=began_at,
    )
    put(result, arguments.write / "recipe.json" if arguments.write else None)
    if arguments.write:
        draw_curves(attempts, arguments.write / "recipe.png")


if __name__ == "__main__":
    main()
