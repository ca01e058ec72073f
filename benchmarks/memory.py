"""Memory: the peak of a render does not grow with frame size times frame count.

Renders the same small hole in frames of two sizes and shots of two lengths, all freshly made, each
in a process of its own with a tiny budget of fitting, and reads the peak of its resident memory.
What the worked region costs grows with the frames; what lies outside it must not. Run it as

    python -m benchmarks.memory [--write benchmarks/results/memory.json]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from benchmarks.stamp import put, stamped

LARGE, SMALL = (1920, 1080), (384, 216)
MANY, FEW = 100, 20
HOLE = 56  # pixels each way
BUDGET = (
    *("intervals=2", "steps_per_interval=5", "sampling_steps=1"),
    *("detail_intervals=1", "detail_steps_per_interval=5", "detail_sampling_steps=1"),
    *("settling_rounds=1", "channels=8"),
)
COMMAND = ("--preset", "draft", "--threads", "2", "--device", "cpu", "--no-cache")
MIB = 1024.0**2
STEADY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
"""Has the C library give every array back at once, so that the peak is what was really held."""


def write_shot(folder: Path, size: tuple[int, int], frames: int) -> None:
    """A half EXR plate of drifting waves and its matte, whose place does not depend on the size."""
    width, height = size
    (folder / "plate").mkdir(parents=True)
    (folder / "matte").mkdir()
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    for index in range(frames):
        wave = (np.sin(x / 9 + y / 5 + index) * 2 + 2).astype(np.float16)  # to 4: scene-linear
        plate = {
            name: wave * np.float16(gain) for name, gain in zip("RGB", (1, 0.5, 0.25), strict=True)
        }
        OpenEXR.File(dict(header), plate).write(str(folder / f"plate/p.{1001 + index}.exr"))
        matte = np.zeros((height, width), np.float16)
        left = 100 + round(8 * np.sin(index))
        matte[80 : 80 + HOLE, left : left + HOLE] = 1
        OpenEXR.File(dict(header), {"A": matte}).write(str(folder / f"matte/m.{1001 + index}.exr"))


def measured(folder: Path, *flags: str, steady: bool = True) -> dict[str, float]:
    """Peak resident memory in MiB and seconds of one render of the shot in `folder`.

    Args:
        folder: holds `plate` and `matte`; `out` is written.
        flags: of the command, beside its own.
        steady: with STEADY in its environment.

    Raises:
        RuntimeError: the render failed.
    """
    command = [
        *(sys.executable, "-m", "infusion_engine.cli.render", str(folder / "plate")),
        *("--matte", str(folder / "matte"), "--output", str(folder / "out"), "--events", "none"),
        *COMMAND,
        *flags,
        *(part for setting in BUDGET for part in ("--set", setting)),
    ]
    began = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **(STEADY if steady else {})})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the render ended with status {status}")
    unit = 1.0 if platform.system() == "Darwin" else 1024.0  # bytes there, KiB elsewhere
    return {
        "peak_mib": round(usage.ru_maxrss * unit / MIB, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def result() -> dict[str, Any]:
    """All four figures and what they say, stamped."""
    runs: list[dict[str, Any]] = []
    for size in (LARGE, SMALL):
        for frames in (MANY, FEW):
            with tempfile.TemporaryDirectory(prefix="infusion-memory-") as name:
                write_shot(Path(name), size, frames)
                raw = size[0] * size[1] * 3 * 2 * frames / MIB
                runs.append(
                    {
                        "size": f"{size[0]}x{size[1]}",
                        "frames": frames,
                        "plate_pixels_mib": round(raw, 1),
                        **measured(Path(name)),
                    }
                )
                print(runs[-1])
    peaks = [run["peak_mib"] for run in runs]
    return stamped(
        {
            "claim": "Peak memory does not grow with frame size times count outside the region.",
            "growth_from_few_to_many_frames_mib": {
                f"{LARGE[0]}x{LARGE[1]}": round(peaks[0] - peaks[1], 1),
                f"{SMALL[0]}x{SMALL[1]}": round(peaks[2] - peaks[3], 1),
            },
            "hole": f"{HOLE}x{HOLE}",
            "runs": runs,
            "command": " ".join(
                ["infusion-render plate --matte matte --output out", *COMMAND]
                + [f"--set {setting}" for setting in BUDGET]
            ),
            "environment": STEADY,
        }
    )


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, help="JSON file for the stamped result")
    arguments = parser.parse_args()
    put(result(), arguments.write)


if __name__ == "__main__":
    main()
