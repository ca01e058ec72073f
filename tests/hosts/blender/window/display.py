"""Display: a Blender with a window on a virtual screen, which plays `inside.py` and tells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

SIZE = (1600, 1000)
"""Width and height of the screen, which the window fills, in pixels."""
PLAY = Path(__file__).with_name("inside.py")


def blender_with_window() -> str | None:
    """Blender's command: `INFUSION_TEST_BLENDER`, else on PATH; None without it or without Xvfb."""
    command = shutil.which(os.environ.get("INFUSION_TEST_BLENDER") or "blender")
    return command if command is not None and shutil.which("xvfb-run") is not None else None


def played(blender: str, folder: Path, asked: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """What the play told.

    Args:
        blender: command.
        folder: for pictures and everything else that the play leaves.
        asked: `plate` and `matte` (first files), `count` (frames from 1001), `blend`, `knobs`,
            `look_at` (the part of the run at which a picture is taken) and `escape` (Esc is pressed
            then).
        seconds: after which it is given up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told, told_in = folder / "told.json", folder / "asked.json"
    told_in.write_text(json.dumps({**asked, "pictures": str(folder), "told": str(told)}))
    width, height = map(str, SIZE)
    done = subprocess.run(
        [
            *("xvfb-run", "--auto-servernum", f"--server-args=-screen 0 {width}x{height}x24"),
            *(blender, "--factory-startup", "--enable-event-simulate", "--no-window-focus"),
            *("--window-geometry", "0", "0", width, height),
            *("--python", str(PLAY), "--", str(told_in)),
        ],
        env={**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert told.exists(), done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(told.read_text())
    assert "error" not in answer, answer["error"] + done.stdout
    return answer
