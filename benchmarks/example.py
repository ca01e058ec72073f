"""Example: a shot of `examples/`, made by its own script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_EXAMPLES = Path(__file__).parents[1] / "examples"


def make_example(name: str, folder: Path, *, frames: int, width: int, height: int) -> None:
    """What examples/NAME/make_plate.py writes below `folder`.

    Raises:
        subprocess.CalledProcessError: the generator failed.
    """
    size = ("--frames", frames, "--width", width, "--height", height)
    script = _EXAMPLES / name / "make_plate.py"
    subprocess.run(
        [sys.executable, str(script), str(folder), *map(str, size)],
        check=True,
        capture_output=True,
    )
