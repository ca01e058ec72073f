"""Plays a story inside Blender: `python -m tests.hosts.blender.play STORY ASKED.json TOLD.json`.

Run by an interpreter that has bpy, with the extension where Blender looks for it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.hosts.blender import stories_with_engine, stories_without_engine


def play(story: str, asked: str, answer: str) -> None:
    """Play one story with its arguments, and write down what it has to tell."""
    result: Any
    room = stories_with_engine if hasattr(stories_with_engine, story) else stories_without_engine
    try:
        result = getattr(room, story)(json.loads(Path(asked).read_text()))
    except BaseException:  # noqa: BLE001 - the test shows whatever it was
        traceback.print_exc()
        os._exit(1)
    Path(answer).write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # Blender may hang where it takes itself apart after image sequences


if __name__ == "__main__":
    play(*sys.argv[1:])
