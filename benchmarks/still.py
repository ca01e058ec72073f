"""Still: what stands still behind a matte that hides it for long comes back as it was.

Makes the shot of examples/still, renders it by the real command, and tells how far the fill of the
wall is from the wall, whether it changes over time, and how much the fill of the water moves. With
`--paper` the published method then gets the same wall time. Run it as

    python -m benchmarks.still --minutes 8 [--set KEY=VALUE] [--write DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR
import torch
from scipy.ndimage import distance_transform_edt

from benchmarks.example import make_example
from benchmarks.frames import Frame, Mask, Source, frames_of
from benchmarks.pace import Pace, within
from benchmarks.rendering import Rendering, add_rendering, rendered, rendering_of
from benchmarks.stamp import commit_here, put, stamped
from benchmarks.workbench import Workbench
from infusion_engine.evaluate.figures import Tally
from infusion_engine.media.display import to_display
from infusion_engine.settings import PRESETS

LAYER = "infusion"
RIGHT = 0.01
"""Largest relative error of a still background that was seen."""
AWAY = 8.0
"""Pixels from what moves, beyond which nothing of it should be felt."""
MOTION = (0.6, 1.4)
"""Between these the fill of the moving part moves as it should."""


@dataclass(frozen=True)
class Size:
    """Of the shot."""

    frames: int = 120
    width: int = 160
    height: int = 96


class StillTally:
    """Gathers how far the fill of a still part is from it, frame by frame."""

    def __init__(self) -> None:
        self._squared = 0.0
        self._largest = 0.0
        self._right = self._values = 0
        self._sums: npt.NDArray[np.float64] | None = None

    def add(self, frame: Frame, still: Mask) -> None:
        """Take in the next frame; `still` is (H, W), True where the truth never changes."""
        where = frame.hole & still
        error = frame.result[where] / frame.plate[where] - 1.0
        if error.size:
            self._largest = max(self._largest, float(np.abs(error).max()))
        self._squared += float((error**2).sum())
        self._right += int((np.abs(error) <= RIGHT).sum())
        self._values += error.size
        if self._sums is None:
            self._sums = np.zeros((3, *frame.plate.shape))
        # The error has the fill's own deviation, as the truth has none, and loses no digits.
        self._sums[0][where] += 1.0
        self._sums[1][where] += error
        self._sums[2][where] += error**2

    def figures(self) -> dict[str, float | None]:
        """As shares of the truth's value; None where nothing still was hidden."""
        if self._sums is None or not self._values:
            return dict.fromkeys(
                ("largest", "rms", "within_1_percent", "deviation", "largest_deviation")
            )
        count, mean, square = self._sums
        seen = count > 1
        variance = (square[seen] - mean[seen] ** 2 / count[seen]) / count[seen]
        variance = np.maximum(variance, 0.0)
        return {
            "largest": self._largest,
            "rms": float(np.sqrt(self._squared / self._values)),
            "within_1_percent": self._right / self._values,
            "deviation": float(np.sqrt(variance.mean())) if seen.any() else None,
            "largest_deviation": float(np.sqrt(variance.max())) if seen.any() else None,
        }


def figures(frames: Iterator[Frame], still: Mask) -> dict[str, Any]:
    """Of the still and the moving part of a result's hole; each frame's `plate` is the truth."""
    tally, away, moving = StillTally(), StillTally(), Tally()
    far = still & (distance_transform_edt(still) > AWAY)
    for frame in frames:
        tally.add(frame, still)
        away.add(frame, far)
        fill, truth = (to_display(v, frame.transfer) for v in (frame.result, frame.plate))
        moving.add(fill, truth, frame.hole & ~still, outside=0.0)
    water = moving.figures()
    told = {
        "still": tally.figures(),
        "still_away": away.figures(),
        "moving": {"motion": water.motion, "detail": water.detail},
    }
    return {part: {k: _rounded(v) for k, v in found.items()} for part, found in told.items()}


def verdict(found: dict[str, Any]) -> dict[str, bool | None]:
    """Whether each part is as it should be; None where there is no such figure."""
    largest, motion = found["still"]["largest"], found["moving"]["motion"]
    return {
        "still_holds": None if largest is None else largest <= RIGHT,
        "motion_holds": None if motion is None else MOTION[0] <= motion <= MOTION[1],
    }


def tried(rendering: Rendering, shot: Path, output: Path) -> dict[str, Any]:
    """Seconds and figures of one render of the shot in the folder `shot`."""
    seconds = rendered(rendering, shot / "plate", shot / "matte", output)
    with OpenEXR.File(str(shot / "still" / "still.exr")) as exr:
        still = exr.channels()["A"].pixels > 0
    source = Source(str(output / "frames"), str(shot / "truth"), str(shot / "matte"), LAYER)
    found = figures(frames_of(source), still)
    return {**rendering.described, "seconds": seconds, **found, **verdict(found)}


def paper_in(seconds: float, size: Size, like: Rendering) -> Rendering:
    """`paper` with the steps for which `seconds` are enough, on the machine of `like`."""
    settings = PRESETS["paper"]
    torch.set_num_threads(like.threads)
    bench = Workbench(settings, (size.frames, size.height, size.width), torch.device(like.device))
    pace = Pace(bench.step_seconds(3), bench.evaluation_seconds(1))
    return replace(like, preset="paper", settings=within(settings, pace, seconds), flags=())


def result(size: Size, rendering: Rendering, *, paper: bool, keep: Path) -> dict[str, Any]:
    """Figures of the rendering, and where asked of `paper` in the same time, stamped.

    Args:
        size: of the shot.
        rendering: how it is rendered.
        paper: whether the published method is tried as well.
        keep: gets the shot, and frames and a contact sheet of each rendering.
    """
    began_at = commit_here()
    make_example("still", keep / "shot", **asdict(size))
    runs = [tried(rendering, keep / "shot", keep / rendering.preset)]
    if paper:
        other = paper_in(runs[0]["seconds"], size, rendering)
        runs.append(tried(other, keep / "shot", keep / "paper_in_the_same_time"))
    return stamped(
        {
            "claim": "What stands still and was seen is filled as it is, to 1 % and constant over "
            "time, and what moves beside it keeps moving.",
            "shot": f"examples/still, {size.frames} frames of {size.width}x{size.height}",
            "runs": runs,
        },
        device=rendering.device,
        began_at=began_at,
    )


def main() -> None:
    """Make, render, measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_rendering(parser)
    parser.add_argument("--paper", action="store_true", help="try it too, in the same wall time")
    parser.add_argument("--frames", type=int, default=Size.frames)
    parser.add_argument("--width", type=int, default=Size.width)
    parser.add_argument("--height", type=int, default=Size.height)
    parser.add_argument("--write", type=Path, help="folder for still.json, frames and sheets")
    asked = parser.parse_args()
    size = Size(asked.frames, asked.width, asked.height)
    with tempfile.TemporaryDirectory(prefix="infusion-still-") as name:
        keep = asked.write or Path(name)
        told = result(size, rendering_of(asked), paper=asked.paper, keep=keep)
    put(told, asked.write / "still.json" if asked.write else None)


def _rounded(value: float | None) -> float | None:
    """To what two runs on one machine agree in, and no more."""
    return None if value is None else float(f"{value:.4g}")


if __name__ == "__main__":
    main()
