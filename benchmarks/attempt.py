"""Attempt: one render of a trial by the real command, its time, and what it is worth."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import printed
from benchmarks.rendering import Rendering, rendered
from benchmarks.trial import Trial

FILL_LAYER = "infusion"
"""Where an EXR holds the fill; other formats hold it in the picture."""
FIGURES = ("perceptual", "swd3d", "detail", "motion", "psnr_hole")
"""Those of `infusion-evaluate` that are kept; `perceptual` where its weights are given. One that
it cannot tell (null) is left out."""


@dataclass(frozen=True)
class Contender:
    """A way to fill a hole."""

    name: str
    """What tables and plots call it."""
    preset: str
    """Of `infusion-render`."""
    settings: Mapping[str, str]
    """Numbers that replace the preset's."""


@dataclass(frozen=True)
class Attempt:
    """A render and its figures."""

    trial: str
    contender: str
    settings: Mapping[str, str]
    seed: int
    seconds: float
    """Wall time of the whole command, start of the process included."""
    scores: Mapping[str, float]
    """FIGURES by name, as far as they could be told."""

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON."""
        return {**asdict(self), "seconds": round(self.seconds, 1)}


def attempt(
    trial: Trial,
    contender: Contender,
    *,
    weights: Path | None,
    threads: int,
    keep: Path,
    seed: int = 0,
    cache: Path | None = None,
    device: str = "cpu",
    limit: float | None = None,
) -> Attempt:
    """Render, score, and keep the contact sheet and the frames.

    Args:
        trial: what to fill.
        contender: how.
        weights: folder of the perceptual distance's network; without one that figure is left out.
        threads: CPU threads of the render.
        keep: folder for frames and the contact sheet of this attempt.
        seed: the job's.
        cache: where fits are found and kept; none if not given.
        device: what `infusion-render --device` is given.
        limit: seconds after which the render is ended.

    Raises:
        RuntimeError: a command failed; its last lines are told.
        subprocess.TimeoutExpired: the render took longer than its limit.
    """
    rendering = Rendering(
        contender.preset, contender.settings, ("--seed", str(seed)), threads, device
    )
    seconds = rendered(rendering, trial.plate, trial.matte, keep, cache=cache, limit=limit)
    scores = scored(trial, keep / "frames", weights=weights)
    return Attempt(trial.name, contender.name, dict(contender.settings), seed, seconds, scores)


def attempts_of_seeds(
    trial: Trial,
    contender: Contender,
    seeds: Sequence[int],
    *,
    weights: Path | None,
    keep: Path,
    cache: Path | None = None,
    device: str = "cpu",
) -> list[Attempt]:
    """An attempt for each seed, one thread each, below `keep` as seed0, seed1, ...

    They share a cache, so that all but the first cost only sampling: `cache`, whose fits cost
    nothing either, or one of their own. Each is printed when done.

    Raises:
        RuntimeError: a command failed.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="infusion-seeds-") as own:
        for seed in seeds:
            done = attempt(
                trial,
                contender,
                weights=weights,
                threads=1,
                keep=keep / f"seed{seed}",
                seed=seed,
                cache=cache or Path(own),
                device=device,
            )
            print(json.dumps(done.described), flush=True)
            found.append(done)
    return found


def scored(trial: Trial, frames: Path, *, weights: Path | None) -> dict[str, float]:
    """FIGURES of the filled `frames` of a trial, by name.

    Raises:
        RuntimeError: they cannot be scored.
    """
    return figures(evaluated(frames, trial.truth, trial.matte, weights=weights))


def evaluated(
    fill: Path, truth: Path, matte: Path, *, weights: Path | None, others: Sequence[Path] = ()
) -> Mapping[str, Any]:
    """All that `infusion-evaluate` has to say of a fill, and of `others`, its further takes.

    Raises:
        RuntimeError: it cannot be scored.
    """
    command = [
        *(sys.executable, "-m", "infusion_engine.cli.evaluate", str(fill), str(truth)),
        *("--matte", str(matte), "--json"),
        *(("--weights", str(weights)) if weights else ()),
        *(("--layer", FILL_LAYER) if any(fill.glob("*.exr")) else ()),
        *(x for other in others for x in ("--take", str(other))),
    ]
    found: Mapping[str, Any] = json.loads(printed(command))
    return found


def figures(found: Mapping[str, Any]) -> dict[str, float]:
    """FIGURES of what `infusion-evaluate` printed, without those that are null."""
    return {name: round(float(found[name]), 4) for name in FIGURES if found.get(name) is not None}
