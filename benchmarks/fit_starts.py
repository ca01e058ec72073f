"""Fit starts: a chain of fits, fits from one base, and fits from nothing, at equal total steps.

Steps of every fit are scaled so that all of a contender's batches together are as many as the
chain's: the base costs a fit more, so that each of its fits gets fewer. Seeds share the fits. Every
attempt runs in a process of its own. Run it as

    python -m benchmarks.fit_starts CLIP ... --weights DIR [--share 0.5] [--write DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.ablation import table
from benchmarks.abreast import abreast
from benchmarks.attempt import Attempt, Contender, attempts_of_seeds
from benchmarks.stamp import commit_here, put, stamped
from benchmarks.trial import FRAMES, HOLE, SIDE, Trial, make_trial
from infusion_engine.budget import batches
from infusion_engine.diffusion.layout import halvings
from infusion_engine.settings import PRESETS, FitsStart, Settings, at_level

COARSEST = 20
"""Widest hole of the coarsest size in pixels."""
LEVELS = 1 + halvings(HOLE, COARSEST)
"""Sizes that a trial is worked at."""
SEEDS = (0, 1)


def total_batches(settings: Settings) -> int:
    """Batches that all fits of a trial take together, a base included."""
    return sum(
        batches(settings, level) * at_level(settings, level).steps_per_interval
        for level in range(LEVELS)
    )


def contenders(share: float) -> list[Contender]:
    """Each start, with `share` of draft's steps in all."""
    draft = replace(PRESETS["draft"], coarsest_hole_pixels=COARSEST)
    found = []
    for start in FitsStart:
        own = replace(draft, fits_start=start)
        part = share * total_batches(draft) / total_batches(own)
        changed = {
            "coarsest_hole_pixels": str(COARSEST),
            "fits_start": start.value,
            "steps_per_interval": str(max(1, round(draft.steps_per_interval * part))),
            "detail_steps_per_interval": str(max(1, round(draft.detail_steps_per_interval * part))),
        }
        found.append(Contender(start.value, "draft", changed))
    return found


def result(attempts: Sequence[Attempt], *, share: float, began_at: str) -> dict[str, Any]:
    """Everything that was found, stamped."""
    return stamped(
        {
            "asked": "What does it cost a fill that its fits do not go on from one another?",
            "trials": f"{SIDE}x{SIDE} pixels, at most {FRAMES} frames, hole {HOLE}x{HOLE}",
            "share_of_drafts_steps": share,
            "seeds": list(SEEDS),
            "means_over_trials_and_seeds": table(attempts),
            "attempts": [a.described for a in attempts],
        },
        began_at=began_at,
    )


def main() -> None:
    """Try, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="+", help="folders of pictures, or with a plate")
    parser.add_argument("--weights", type=Path, required=True, help="of the perceptual distance")
    parser.add_argument("--share", type=float, default=0.5, help="of draft's steps")
    parser.add_argument("--at-once", type=int, default=2, help="renders at once, one thread each")
    parser.add_argument("--write", type=Path, help="folder for fit_starts.json and sheets")
    arguments = parser.parse_args()
    began_at = commit_here()
    with tempfile.TemporaryDirectory(prefix="infusion-fit-starts-") as name:
        trials = [make_trial(clip, Path(name) / "trials" / clip.name) for clip in arguments.clips]
        keep = (arguments.write or Path(name)) / "attempts"

        def one(job: tuple[Trial, Contender]) -> list[Attempt]:
            trial, contender = job
            place = keep / trial.name / contender.name
            return attempts_of_seeds(trial, contender, SEEDS, weights=arguments.weights, keep=place)

        jobs = [(trial, contender) for contender in contenders(arguments.share) for trial in trials]
        attempts = [a for found in abreast(one, jobs, at_once=arguments.at_once) for a in found]
    file = arguments.write / "fit_starts.json" if arguments.write else None
    put(result(attempts, share=arguments.share, began_at=began_at), file)


if __name__ == "__main__":
    main()
