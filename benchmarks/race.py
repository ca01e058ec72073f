"""Race: `standard` against `paper` on every trial of the suite, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.attempt import FIGURES, Attempt, Contender
from benchmarks.bars import draw_bars
from benchmarks.claim import together
from benchmarks.curves import draw_curves
from benchmarks.duel import PART, duel, verdict
from benchmarks.extent import WHOLE
from benchmarks.lineup import draw_lineup, middle_of
from benchmarks.pace import Pace
from benchmarks.proof import Proof
from benchmarks.trial import Trial

SCORES = "race.png"
LINEUP = "race_frames.png"


def race(proof: Proof) -> dict[str, Any]:
    """Verdicts on all trials as plain JSON; nothing if none was rendered.

    Raises:
        RuntimeError: a command failed; its last lines are told.
        subprocess.CalledProcessError: the fire's generator failed.
    """
    trials = proof.trials()
    paces = {preset: proof.pace(preset) for preset in ("paper", "standard")}
    found: dict[str, list[Attempt]] = {}
    sheet: dict[str, dict[str, Path]] = {}
    for trial in trials:
        found[trial.name], sheet[trial.name] = _at(trial, paces, proof)
    attempts = [a for one in found.values() for a in one]
    if not attempts:
        return {}
    folder, where = proof.asked.folder, str(proof.asked.device)
    proof.drawings += [
        lambda: draw_lineup(sheet, folder / LINEUP),
        lambda: _draw_scores(attempts, folder / SCORES, where=where),
    ]
    published = WHOLE.terms.settings("paper")
    verdicts = {name: verdict(one, WHOLE.terms) for name, one in found.items()}
    return {
        "claim": f"standard fills better than the published method in {PART:g} of its time.",
        "budget_of_paper": {
            "intervals": published.intervals,
            "steps_per_interval": published.steps_per_interval,
        },
        "verdicts": verdicts,
        "holds": together(one["holds"] for one in verdicts.values()),
    }


def _at(
    trial: Trial, paces: Mapping[str, Pace], proof: Proof
) -> tuple[list[Attempt], dict[str, Path]]:
    """The attempts at one trial, and a picture of its plate, of its truth and of each fill."""
    pictures = {"plate": middle_of(trial.plate), "truth": middle_of(trial.truth)}
    folder = proof.asked.folder / "attempts" / trial.name

    def run(contender: Contender, limit: float) -> Attempt | None:
        keep = folder / f"{len(pictures) - 1}-{contender.name}"
        done = proof.tried(trial, contender, keep, limit)
        if done is not None:
            pictures[f"{contender.name}, {done.seconds:.0f} s"] = middle_of(keep / "frames")
        return done

    extent = proof.extent
    attempts = duel(
        trial.name,
        run,
        extent.terms,
        paces,
        proof.allowance,
        reserved=extent.reserved if "shot" in proof.asked.parts else 0.0,
    )
    return attempts, pictures


def _draw_scores(attempts: Sequence[Attempt], file: Path, *, where: str) -> None:
    """Scores against time, or as bars where some figure is not there."""
    if all(one.scores.keys() >= set(FIGURES) for one in attempts):
        draw_curves(attempts, file, where=where)
        return
    tables: dict[str, dict[str, Any]] = {}
    for one in attempts:
        tables.setdefault(one.trial, {})[f"{one.contender}, {one.seconds:.0f} s"] = one.scores
    draw_bars(tables, file)
