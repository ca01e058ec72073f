"""Stamp: which commit, which device and when, so that a figure can be placed later."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def commit_here() -> str:
    """The commit of this checkout, with "-dirty" where files differ; "unknown" without git."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git the caller has
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def stamped(
    result: dict[str, Any], *, device: str = "cpu", began_at: str | None = None
) -> dict[str, Any]:
    """`result` and where it comes from.

    Args:
        result: what was found.
        device: what worked; the machine is added.
        began_at: `commit_here` as it was at the start of a long run. Where it is another one by
            now, that is said: every attempt may have run other code.
    """
    commit = commit_here()
    if began_at is not None and began_at != commit:
        commit = f"{began_at} at the start, {commit} at the end"
    return {
        **result,
        "commit": commit,
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
