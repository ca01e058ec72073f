"""Cost: a render's seconds go by the matte and the number of frames, hardly by the plate.

Renders made shots with `draft`'s own sampling and a few steps of fitting, one after the other. Each
of three series changes one of plate, matte and frames fourfold at a time, or twofold, and keeps the
others. Seconds of reading and writing are told apart from those of the work. Run it as

    python -m benchmarks.cost [--threads 1] [--write DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.large import write_shot
from benchmarks.rendering import Rendering, rendered
from benchmarks.stamp import commit_here, put, stamped
from infusion_node.wire.events import Progress, from_line

_DRIFT = 1
_PLATE, _HOLE, _FRAMES = (960, 540), 96, 12
STEPS = {"steps_per_interval": "20", "detail_steps_per_interval": "20"}


@dataclass(frozen=True)
class Size:
    """A shot's."""

    width: int
    height: int
    """Of the plate, in pixels."""
    hole: int
    """Side of the matte, in pixels."""
    frames: int


@dataclass(frozen=True)
class Point:
    """What one render took, in seconds."""

    size: Size
    whole: float
    """From the first event to the last."""
    working: float
    """Fits and samples."""


SERIES: dict[str, tuple[Size, ...]] = {
    "plate": tuple(Size(480 << k, 270 << k, _HOLE, _FRAMES) for k in range(4)),
    "matte": tuple(Size(*_PLATE, side, _FRAMES) for side in (48, 96, 192)),
    "frames": tuple(Size(*_PLATE, _HOLE, count) for count in (6, 12, 24, 48)),
}
"""Shots, smallest first."""


def tried(size: Size, threads: int) -> Point:
    """One render of a shot that is made for it.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="infusion-cost-") as name:
        folder = Path(name)
        hole = (size.hole, size.hole)
        write_shot(folder, (size.width, size.height), size.frames, hole, _DRIFT)
        events = folder / "events.ndjson"
        rendering = Rendering(settings=STEPS, threads=threads)
        flags = ("--events-file", str(events))
        rendered(rendering, folder / "plate", folder / "matte", folder / "out", *flags)
        return timed(size, events.read_text().splitlines())


def timed(size: Size, lines: Sequence[str]) -> Point:
    """The seconds of a render that the lines of its events file tell."""
    told = [stamp for stamp in map(from_line, lines) if stamp is not None]
    phases = [(s.time, s.event.phase) for s in told if isinstance(s.event, Progress)]
    inpainting = [when for when, phase in phases if phase == "inpainting"]
    writing = [when for when, phase in phases if phase == "writing"]
    ends = min(writing, default=told[-1].time)
    return Point(size, told[-1].time - told[0].time, ends - min(inpainting, default=ends))


def draw(series: dict[str, list[Point]], file: Path) -> None:
    """A panel for each series: seconds against what changes, both logarithmic."""
    mpl.use("Agg")
    figure, axes = plt.subplots(1, len(series), figsize=(12, 4), sharey=True, layout="constrained")
    for axis, (name, points) in zip(axes, series.items(), strict=True):
        x = [changed(name, point.size) for point in points]
        axis.plot(x, [point.whole for point in points], "o-", label="whole render")
        axis.plot(x, [point.working for point in points], "s--", label="fits and samples")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(
            {"plate": "pixels of the plate", "matte": "pixels of the matte"}.get(name, name)
        )
        axis.grid(visible=True, which="both", alpha=0.3)
    axes[0].set_ylabel("seconds")
    axes[0].legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def changed(name: str, size: Size) -> int:
    """What a series changes."""
    return {
        "plate": size.width * size.height,
        "matte": size.hole * size.hole,
        "frames": size.frames,
    }[name]


def growth(name: str, points: Sequence[Point]) -> dict[str, float]:
    """How many times more the largest of a series has, and takes, than the smallest."""
    first, last = points[0], points[-1]
    return {
        "times_larger": round(changed(name, last.size) / changed(name, first.size), 2),
        "times_the_seconds": round(last.whole / first.whole, 2),
        "times_the_working_seconds": round(last.working / first.working, 2),
    }


def result(threads: int) -> tuple[dict[str, Any], dict[str, list[Point]]]:
    """Every render, and what they say, stamped."""
    began_at = commit_here()
    known: dict[Size, Point] = {}
    for sizes in SERIES.values():
        for size in sizes:
            if size not in known:
                known[size] = tried(size, threads)
                print(known[size], flush=True)
    series = {name: [known[size] for size in sizes] for name, sizes in SERIES.items()}
    found = {
        "claim": "Seconds go by the matte and the frames; what goes by the plate is its files.",
        "threads": threads,
        "settings": STEPS,
        "growth": {name: growth(name, points) for name, points in series.items()},
        "series": {name: [asdict(point) for point in points] for name, points in series.items()},
    }
    return stamped(found, began_at=began_at), series


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="of each render")
    parser.add_argument("--write", type=Path, help="folder for cost.json and cost.png")
    asked = parser.parse_args()
    found, series = result(asked.threads)
    put(found, None if asked.write is None else asked.write / "cost.json")
    if asked.write is not None:
        draw(series, asked.write / "cost.png")


if __name__ == "__main__":
    main()
