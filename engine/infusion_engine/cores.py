"""Cores: how many CPU cores this process may keep busy, by its affinity and a container's quota."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def available_cores(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """CPU cores that this process may use; of a quota of 2.5 cores it is 2, and of 0.5 one.

    A container on a farm often sees all cores of its machine and may use the time of a few: with a
    thread for each it would stand still for most of every tenth of a second.

    Args:
        groups: where Linux's control groups are mounted.
        own: the file that tells which of them this process is in.
    """
    allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    shares = [quota for folder in _folders(groups, own) if (quota := _quota(folder)) is not None]
    return max(1, min(allowed, *map(int, shares))) if shares else allowed


def _folders(groups: Path, own: Path) -> list[Path]:
    """The folders of this process's groups, each with all above it: every one's quota holds."""
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):
        return []
    found: dict[Path, None] = {}
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0":
            top = groups  # version 2
        elif "cpu" in controllers.split(","):
            top = groups / controllers
            top = top if top.is_dir() else groups / "cpu"
        else:
            continue
        inside = PurePosixPath(name.lstrip("/"))
        found |= dict.fromkeys(top / part for part in (inside, *inside.parents))
    return list(found)


def _quota(folder: Path) -> float | None:
    """Cores' worth of time that a group has; None where it has no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        cores = int(quota) / int(period)  # `max` is no number, and no limit
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0.0 else None
