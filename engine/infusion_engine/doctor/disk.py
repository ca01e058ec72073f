"""Disk: how much room is left where a render keeps its fits and its temporary files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from infusion_engine.doctor.amount import GIB, MIB, amount
from infusion_engine.doctor.findings import Finding, carried_out, failed, ok, warning
from infusion_engine.doctor.folder import standing
from infusion_engine.errors import StorageError

ENOUGH = 5 * GIB
"""With less than this a long shot may fill the disk."""
TOO_LITTLE = 200 * MIB
"""With less than this even a short one does."""


def checks(cache: Path, temporary: Path) -> Sequence[Finding]:
    """Of the cache's disk, and of that of temporary files."""
    folders = (("cache folder", cache), ("temporary folder", temporary))
    return [carried_out(name, partial(_room, name, folder)) for name, folder in folders]


def judged(name: str, folder: Path, free: int) -> Finding:
    """What `free` bytes in `folder` mean for a render."""
    said = f"{amount(free)} free at {folder}"
    if free >= ENOUGH:
        return ok(name, said)
    less = (
        f"Free some space: a render may need {amount(ENOUGH)}; `infusion-cache prune` makes room."
    )
    if free >= TOO_LITTLE:
        return warning(name, said, less)
    return failed(name, said, less, exit_code=StorageError.exit_code)


def _room(name: str, folder: Path) -> Finding:
    there = standing(folder)
    return judged(name, folder, shutil.disk_usage(there if there.is_dir() else there.parent).free)
