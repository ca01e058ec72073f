"""Farm: what of a shot goes side by side, what does not, and what more machines therefore bring.

Makes a small burning plate, runs every task of its farm job here, each as a process of its own, the
fits once by one worker and once by several, and the whole job in one process beside it. From the
seconds of the tasks it models 1 to 20 machines. Run it as

    python -m benchmarks.farm [--workers 2] [--set KEY=VALUE] [--write DIR]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.abreast import abreast
from benchmarks.example import make_example
from benchmarks.stamp import commit_here, put, stamped
from infusion_engine.farm.bundle import FarmJob, farm_job
from infusion_engine.farm.division import divided
from infusion_engine.farm.makespan import Timed, wall_seconds
from infusion_engine.farm.steps import Counted, Fits, Step
from infusion_engine.plan import prepare
from infusion_engine.stage import RenderStage
from infusion_node.wire.job import RenderJob

MACHINES = range(1, 21)
SHOTS = (1, 50)
_FRAMES_PER_TASK = 10


@dataclass(frozen=True)
class Measured:
    """What was found here."""

    tasks: tuple[Timed, ...]
    """Seconds of each task, done one after the other."""
    fits_alone: float
    """Wall seconds of all fits by one worker."""
    fits_abreast: float
    """The same by several workers at once."""
    identical: bool
    """Whether every frame came out with the same bits, whoever fitted."""
    whole: dict[str, float]
    """Wall seconds of the whole job in one process, by what its fits start from."""


def curve(tasks: Sequence[Timed], alone: float, shots: int) -> list[dict[str, float]]:
    """Minutes until `shots` shots are done, and how many times quicker that is than one command.

    Args:
        tasks: of one shot.
        alone: seconds of one shot in one process.
        shots: all of them submitted at once.
    """
    found = []
    for machines in MACHINES:
        seconds = wall_seconds(tasks, workers=machines, shots=shots)
        quicker = shots * alone / seconds
        found.append({"machines": machines, "minutes": seconds / 60, "times_quicker": quicker})
    return found


def serial_share(tasks: Sequence[Timed]) -> float:
    """Share of all seconds in steps of one task: what no second machine shortens in one shot."""
    single = sum(sum(task.seconds) for task in tasks if len(task.seconds) == 1)
    return single / sum(sum(task.seconds) for task in tasks)


def draw(curves: dict[str, list[dict[str, float]]], file: Path) -> None:
    """Times quicker against machines: a line for each number of shots, and the best there is."""
    mpl.use("Agg")
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for label, points in curves.items():
        axis.plot(
            [p["machines"] for p in points], [p["times_quicker"] for p in points], "o-", label=label
        )
    axis.plot(
        list(MACHINES), list(MACHINES), ":", color="tab:grey", label="as many times as machines"
    )
    axis.set_xlabel("machines")
    axis.set_ylabel("times quicker than one machine, one command")
    axis.grid(visible=True, alpha=0.3)
    axis.legend()
    figure.savefig(file, dpi=110)
    plt.close(figure)


class Bench:
    """A farm job and the folder that its tasks work in."""

    def __init__(self, folder: Path, settings: dict[str, str], fits: Fits) -> None:
        self.folder = folder
        job = RenderJob(
            plate=str(folder / "plate"),
            matte=str(folder / "matte"),
            output=str(folder / "out"),
            cache=str(folder / "cache"),
            settings=settings,
            device="cpu",
            threads=1,
        )
        plan = prepare(job)
        self.farm: FarmJob = farm_job(plan, divided(plan, lambda _done, _total: None), fits)
        self.file = folder / "job.json"
        self.file.write_text(self.farm.job.to_json())

    def run(self, *arguments: str) -> float:
        """One process of the engine; its seconds."""
        command = [sys.executable, "-m", "infusion_engine.cli.render", "--job", str(self.file)]
        began = time.monotonic()
        subprocess.run([*command, *arguments, "--events", "none"], check=True)
        return time.monotonic() - began

    def step(self, step: Step) -> Timed:
        """Every task of a step, one after the other."""
        numbers = [str(n) for n in range(step.first, step.last + 1)]
        if step.counted is Counted.FRAMES:
            firsts = range(step.first, step.last + 1, _FRAMES_PER_TASK)
            numbers = [f"{n}-{min(n + _FRAMES_PER_TASK - 1, step.last)}" for n in firsts]
        seconds = tuple(self.run(*step.arguments(number)) for number in numbers)
        return Timed(step.name, step.after, seconds)

    def frames(self) -> dict[str, bytes]:
        """The result, which makes room for the next."""
        found = {path.name: path.read_bytes() for path in (self.folder / "out").iterdir()}
        shutil.rmtree(self.folder / "out")
        return found


def measured(bench: Bench, workers: int) -> Measured:
    """Run everything: the tasks in a row, the fits again by several workers, the whole job."""
    cache, before = bench.folder / "cache", bench.folder / "before the fits"
    tasks, (fit,) = [], [s for s in bench.farm.steps if s.stage is RenderStage.FIT]
    for step in bench.farm.steps:
        if step is fit:
            shutil.copytree(cache, before)
        tasks.append(bench.step(step))
    results = [bench.frames()]

    shutil.rmtree(cache)
    before.rename(cache)
    began = time.monotonic()
    one: Callable[[int], float] = lambda number: bench.run(*fit.arguments(str(number)))  # noqa: E731
    abreast(one, range(fit.first, fit.last + 1), at_once=workers)
    fits_abreast = time.monotonic() - began
    for step in bench.farm.steps[bench.farm.steps.index(fit) + 1 :]:
        bench.step(step)
    results.append(bench.frames())

    whole = {}
    for start in (bench.farm.fits.start.value, "previous"):
        own = str(bench.folder / f"cache {start}")
        whole[start] = bench.run("--cache", own, "--set", f"fits_start={start}")
        if start != "previous":
            results.append(bench.frames())
    (alone,) = [sum(task.seconds) for task in tasks if task.name == fit.name]
    identical = all(result == results[0] for result in results)
    return Measured(tuple(tasks), alone, fits_abreast, identical, whole)


def told(found: Measured, workers: int) -> dict[str, Any]:
    """The result as plain values."""
    alone = found.whole["previous"]
    curves = {str(shots): curve(found.tasks, alone, shots) for shots in SHOTS}
    return {
        "task_seconds": {task.name: [round(s, 2) for s in task.seconds] for task in found.tasks},
        "serial_share": serial_share(found.tasks),
        "fits_by_one_worker_seconds": found.fits_alone,
        "fits_by_several_workers_seconds": found.fits_abreast,
        "workers": workers,
        "same_bits": found.identical,
        "whole_seconds": found.whole,
        "modelled_by_shots": curves,
        "load_at_the_end": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def main() -> None:
    """Measure, model, tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--workers", type=int, default=2, help="at once for the fits (default 2)")
    parser.add_argument("--frames", type=int, default=12, help="of the plate (default 12)")
    parser.add_argument("--width", type=int, default=128, metavar="PIXELS")
    parser.add_argument("--height", type=int, default=72, metavar="PIXELS")
    parser.add_argument("--fits", type=Fits, default=Fits.BASE, choices=[Fits.BASE, Fits.SCRATCH])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--write", type=Path, metavar="DIR", help="farm.json and farm.png")
    asked = parser.parse_args()
    began_at = commit_here()
    settings = dict(text.split("=", 1) for text in asked.settings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_example("fire", folder, frames=asked.frames, width=asked.width, height=asked.height)
        found = told(measured(Bench(folder, settings, asked.fits), asked.workers), asked.workers)
    result = {"fits": asked.fits.value, "frames": asked.frames, "settings": settings, **found}
    put(
        stamped(result, began_at=began_at),
        None if asked.write is None else asked.write / "farm.json",
    )
    if asked.write is not None:
        curves = {f"{n} shots" if n != "1" else "one shot": c
                  for n, c in found["modelled_by_shots"].items()}  # fmt: skip
        draw(curves, asked.write / "farm.png")


if __name__ == "__main__":
    main()
