"""Suite: the whole proof in one command, as far as the time goes, into one folder.

Throughput of the device; bfloat16 against float32; `standard` against the published method at its
budget for small textures (2000 steps an interval), in a tenth of its time and at full length; and a
shot of 60 frames of 432x240 with `standard`, timed and scored. What there is no time for is left
out, or shortened, and suite.json says so; a claim holds only where all of it was run. Trials are
cut from the clips, or else from a simulated fire, which is the shot as well. FOLDER is of one run:
what an earlier one told there is deleted. Run it as

    python -m benchmarks.suite FOLDER [CLIP ...] [--weights DIR] [--device cuda] [--minutes 9]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import length, parity, throughput
from benchmarks.allowance import Allowance
from benchmarks.attempt import FIGURES, Attempt, Contender, attempt
from benchmarks.bars import draw_bars
from benchmarks.claim import exit_code, together
from benchmarks.curves import draw_curves
from benchmarks.duel import PART, SHARES, Terms, duel, verdict
from benchmarks.fire import as_pictures, make_fire
from benchmarks.lineup import draw_lineup, middle_of
from benchmarks.pace import Pace, paced
from benchmarks.stamp import put, stamped
from benchmarks.trial import FRAMES, Trial, make_trial
from infusion_engine.device import choose_device

PARTS = ("throughput", "parity", "race", "shot")
"""In the order in which they run."""
PICTURES = ("race.png", "race_frames.png", "shot.png")


@dataclass(frozen=True)
class Extent:
    """How large everything is."""

    terms: Terms
    """What the two presets are given; the shot has those of `standard`."""
    shot: tuple[int, int, int]
    """Frames, rows and columns."""
    depth: parity.Depth
    """Of the comparison of precisions."""
    reserved: float
    """Seconds that the race leaves for the shot."""


WHOLE = Extent(
    Terms(paper={"steps_per_interval": "2000"}, standard={}),
    shot=(60, 240, 432),
    depth=parity.FULL,
    reserved=150.0,
)
_FEW = (
    *("batch=1", "channels=8", "intervals=2", "steps_per_interval=2", "sampling_steps=2"),
    *("detail_intervals=1", "detail_steps_per_interval=1", "detail_sampling_steps=1"),
)
TINY = Extent(
    Terms(
        paper={"intervals": "2", "steps_per_interval": "1", "sampling_steps": "1"},
        standard=dict(number.split("=") for number in _FEW),
    ),
    shot=(3, 192, 192),
    depth=parity.TINY,
    reserved=0.0,
)


class Suite:
    """One run: the time that is left, and what was made for several parts."""

    def __init__(self, arguments: argparse.Namespace, rooms: Path) -> None:
        self.folder: Path = arguments.folder
        self.weights: Path | None = arguments.weights
        self.tiny: bool = arguments.tiny
        self.clips: list[Path] = arguments.clips
        self.threads: int = arguments.threads
        self.parts = [name for name in PARTS if name in (arguments.only or PARTS)]
        self.device = choose_device(arguments.device)
        self.extent = TINY if self.tiny else WHOLE
        self.allowance = Allowance(arguments.minutes * 60.0)
        self.rooms = rooms
        self.paces: dict[str, Pace] = {}
        self.drawings: list[Callable[[], None]] = []
        """What a part draws once its file is written."""
        self._fire: Trial | None = None

    @property
    def frames(self) -> int:
        """Frames of a trial that is cut from the fire."""
        return min(FRAMES, self.extent.shot[0])

    def fire(self) -> Trial:
        """The simulated shot, made when it is first asked for."""
        if self._fire is None:
            frames, height, width = self.extent.shot
            self._fire = make_fire(self.rooms / "fire", frames=frames, width=width, height=height)
        return self._fire

    def trials(self) -> list[Trial]:
        """Of the clips, or of the fire."""
        clips = self.clips or [as_pictures(self.fire().truth, self.rooms / "pictures" / "fire")]
        return [make_trial(clip, self.rooms / "trials" / clip.name) for clip in clips]

    def pace(self, preset: str) -> Pace:
        """How fast a preset goes on a trial, tried once."""
        if preset not in self.paces:
            settings = self.extent.terms.settings(preset)
            self.paces[preset] = paced(settings, self.frames, device=self.device)
        return self.paces[preset]

    def tried(self, trial: Trial, contender: Contender, keep: Path, limit: float) -> Attempt | None:
        """One attempt; None, and a note, if it has to be ended at its limit of seconds."""
        shutil.rmtree(keep, ignore_errors=True)  # an earlier run's frames are not this one's
        try:
            done = attempt(
                trial,
                contender,
                weights=self.weights,
                threads=self.threads,
                keep=keep,
                device=str(self.device),
                limit=limit,
            )
        except subprocess.TimeoutExpired:
            why = f"it was ended after the {limit:.0f} s that were free for it"
            self.allowance.leave_out(f"{trial.name}: {contender.name}", why)
            return None
        print(json.dumps(done.described), flush=True)
        return done


def measure_throughput(suite: Suite) -> dict[str, Any]:
    """What the device gives."""
    scale = throughput.scale_for(suite.device, tiny=suite.tiny)
    return throughput.result(suite.device, scale, profiled=suite.device.type == "cuda")


def compare_precisions(suite: Suite) -> dict[str, Any]:
    """The self-test."""
    return parity.parity(suite.device, suite.extent.depth)


def race(suite: Suite) -> dict[str, Any]:
    """`standard` against `paper` on every trial, with pictures; nothing if none was rendered."""
    trials, extent = suite.trials(), suite.extent
    paces = {preset: suite.pace(preset) for preset in ("paper", "standard")}
    found: dict[str, list[Attempt]] = {}
    sheet: dict[str, dict[str, Path]] = {}
    for trial in trials:
        rows = {"plate": middle_of(trial.plate), "truth": middle_of(trial.truth)}

        def run(
            contender: Contender,
            limit: float,
            trial: Trial = trial,
            rows: dict[str, Path] = rows,
        ) -> Attempt | None:
            keep = suite.folder / "attempts" / trial.name / f"{len(rows) - 1}-{contender.name}"
            done = suite.tried(trial, contender, keep, limit)
            if done is not None:
                rows[f"{contender.name}, {done.seconds:.0f} s"] = middle_of(keep / "frames")
            return done

        found[trial.name] = duel(
            trial.name,
            run,
            extent.terms,
            paces,
            suite.allowance,
            reserved=extent.reserved if "shot" in suite.parts else 0.0,
        )
        sheet[trial.name] = rows
    attempts = [a for one in found.values() for a in one]
    if not attempts:
        return {}
    suite.drawings += [
        lambda: draw_lineup(sheet, suite.folder / "race_frames.png"),
        lambda: _draw_scores(attempts, suite),
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


def _draw_scores(attempts: Sequence[Attempt], suite: Suite) -> None:
    """Scores against time, or as bars where some figure is not there."""
    if all(one.scores.keys() >= set(FIGURES) for one in attempts):
        draw_curves(attempts, suite.folder / "race.png", where=str(suite.device))
        return
    tables: dict[str, dict[str, Any]] = {}
    for one in attempts:
        tables.setdefault(one.trial, {})[f"{one.contender}, {one.seconds:.0f} s"] = one.scores
    draw_bars(tables, suite.folder / "race.png")


def time_shot(suite: Suite) -> dict[str, Any]:
    """A whole shot with `standard`, as long as it may take."""
    fire, terms = suite.fire(), suite.extent.terms
    settings, pace = terms.settings("standard"), suite.pace("standard")
    levels = length.sizes(fire.matte, settings)

    def needed(share: float) -> float:
        return length.shot_seconds(
            length.shortened(settings, share),
            pace,
            levels=levels,
            shot=suite.extent.shot,
            paced_frames=suite.frames,
        )

    share = suite.allowance.largest("shot: standard", SHARES, needed)
    if share is None:
        return {}
    own = length.shortened(settings, share)
    steps = {k: str(getattr(own, k)) for k in ("steps_per_interval", "detail_steps_per_interval")}
    keep = suite.rooms / "shot"
    contender = Contender("standard", "standard", {**terms.standard, **steps})
    done = suite.tried(fire, contender, keep, suite.allowance.left)
    if done is None:
        return {}
    suite.drawings.append(lambda: _copy(keep / "contact.png", suite.folder / "shot.png"))
    whole = WHOLE.terms.settings("standard")
    return {
        "claim": f"A shot of this length takes {length.MINUTES} minutes at most.",
        "shot": " x ".join(map(str, suite.extent.shot)),
        "sizes": levels,
        "expected_seconds": round(needed(share), 1),
        **done.described,
        **length.shot_verdict(done.seconds, own, whole, levels),
        "seconds_per_frame": round(done.seconds / fire.frames, 2),
    }


def _copy(source: Path, file: Path) -> None:
    """As a part's picture, its folder made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, file)


RUNNERS: dict[str, Callable[[Suite], dict[str, Any]]] = {
    "throughput": measure_throughput,
    "parity": compare_precisions,
    "race": race,
    "shot": time_shot,
}


def proved(suite: Suite) -> dict[str, Any]:
    """Run every part, write each one's file, and tell what came of all of them.

    A part that fails keeps no other from running: the time on a device is not had twice. One of
    which nothing was rendered is not among the parts that were run, but left out.
    """
    _clear(suite.folder)
    told: dict[str, Any] = {"parts": {}, "failed": {}, "left_out": suite.allowance.left_out}
    for name in suite.parts:
        before = suite.allowance.left
        if not suite.allowance.admits(name, 1.0):
            continue
        try:
            found = RUNNERS[name](suite)
            if found:
                put(stamped(found, device=_named(suite.device)), suite.folder / f"{name}.json")
                told["parts"][name] = {"seconds": round(before - suite.allowance.left, 1)}
                told["parts"][name] |= {"holds": found["holds"]} if "holds" in found else {}
                _keep(told, suite)
            for draw in suite.drawings:
                draw()
        except Exception as e:  # noqa: BLE001 - whatever it is, it is told, and the next part runs
            told["failed"][name] = f"{type(e).__name__}: {e}"
        suite.drawings.clear()
        if suite.device.type == "cuda":
            with contextlib.suppress(RuntimeError):  # a device that is lost has nothing to free
                torch.cuda.empty_cache()  # renders are processes of their own
        _keep(told, suite)
    return _keep(told, suite)


def _clear(folder: Path) -> None:
    """Delete what an earlier run told, so that nothing of it passes for this one's."""
    for name in ("suite.json", *(f"{part}.json" for part in PARTS), *PICTURES):
        (folder / name).unlink(missing_ok=True)


def _keep(told: dict[str, Any], suite: Suite) -> dict[str, Any]:
    """Write suite.json: after every part, so that what is known is there whatever happens."""
    result = stamped(
        {**told, "tiny": suite.tiny, "seconds_left": round(suite.allowance.left, 1)},
        device=_named(suite.device),
    )
    suite.folder.mkdir(parents=True, exist_ok=True)
    (suite.folder / "suite.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


def _named(device: torch.device) -> str:
    """The device, and which GPU it is."""
    return (
        f"{device}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
    )


def main() -> None:
    """Prove, print, and end with 1 where a part failed or its claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="gets suite.json, a file for each part and PNGs")
    parser.add_argument("clips", type=Path, nargs="*", help="to cut trials from; default: a fire")
    parser.add_argument("--weights", type=Path, help="of the perceptual distance")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--minutes", type=float, default=9.0, help="what does not fit is left out")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="default: all")
    parser.add_argument("--tiny", action="store_true", help="a few steps of all, to try the path")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory(prefix="infusion-suite-") as name:
        told = proved(Suite(arguments, Path(name)))
    print(json.dumps(told, indent=2))
    sys.exit(exit_code(told))


if __name__ == "__main__":
    main()
