"""Stamp: which commit, which device and when, so that a figure can be placed later."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def stamped(result: dict[str, Any], *, device: str = "cpu") -> dict[str, Any]:
    """`result` and where it comes from; `device` is what worked, the machine is added.

    Raises:
        subprocess.CalledProcessError: this is no git checkout.
    """
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git the caller has
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        **result,
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"{device}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
    }


def put(result: dict[str, Any], file: Path | None) -> None:
    """Print `result` as JSON, and write it where asked."""
    text = json.dumps(result, indent=2)
    print(text)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
