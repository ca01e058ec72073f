"""Memory: frames are streamed, so that only the worked region is ever held for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

WIDTH, HEIGHT = 960, 540
FRAME_MIB = WIDTH * HEIGHT * 3 * 4 / 2**20
FEW, MANY = 4, 32

PROGRAM = """
import atexit
def peak():
    lines = open("/proc/self/status").read().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
from infusion_engine.cli.render import main
import infusion_engine.render
import torch._dynamo  # which torch's optimisers would load later
atexit.register(peak)
main()
"""
"""The command, which says at its end the most memory it ever held, in KiB.

Libraries are loaded before, for what they take would hide what frames take.
"""
STEADY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
"""Has the C library give every array back at once, so that the peak is what was really held."""


def write_frames(folder: Path) -> None:
    """A float EXR plate with its matte in A: a hole of 24 x 24 pixels far from the edges."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    still = (np.sin(x / 7) + np.cos(y / 5) + 2).astype(np.float32)
    for frame in range(1, MANY + 1):
        wave = np.roll(still, frame, axis=1)
        matte = np.zeros_like(wave)
        matte[300:324, 500:524] = 1
        pixels = {"R": wave, "G": wave + wave, "B": wave * wave, "A": matte}
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.RLE_COMPRESSION}
        OpenEXR.File(header, pixels).write(str(folder / f"p.{frame:02d}.exr"))


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(False, id="frames alone"),
        pytest.param(True, id="shown", marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow_with_the_frames(tmp_path: Path, *, shown: bool) -> None:
    """Twenty-eight frames more of 960 x 540 cost less memory than the colour of one.

    A byte that is kept of every pixel would cost twice as much, and what the same command takes at
    one time and at another differs by half of it. So it is where a contact sheet and a report are
    drawn as well, which take more for a moment and would hide what is kept before.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell a process's peak in /proc")
    (tmp_path / "plate").mkdir()
    write_frames(tmp_path / "plate")
    peaks = []
    drawn = ("--contact-sheet", str(tmp_path / "sheet.png"), "--report", str(tmp_path / "report"))
    for frames in (FEW, MANY):
        settings = (
            *("intervals=1", "steps_per_interval=1", "sampling_steps=1", "channels=8"),
            "settling_rounds=1",
            "context_pixels=16",  # the region is held for all frames
        )
        run = subprocess.run(
            [
                *(sys.executable, "-c", PROGRAM, str(tmp_path / "plate"), "--frames"),
                *(f"1-{frames}", "--output", str(tmp_path / f"out{frames}"), "--no-cache"),
                *("--threads", "1", "--device", "cpu", "--events", "none"),
                *(drawn if shown else ()),
                *(part for setting in settings for part in ("--set", setting)),
                *("--set", "crop_pixels=16", "--set", "window_frames=3"),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **STEADY, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert run.returncode == 0, run.stderr
        peaks.append(int(run.stdout) / 1024)
    assert peaks[1] - peaks[0] < FRAME_MIB, peaks
