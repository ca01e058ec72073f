"""Memory of this machine: how much there is, how much is free, and what its container allows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux tells what a container may take: cgroups of the second kind, and of the first."""


@dataclass(frozen=True)
class Memory:
    """What a system tells of its memory."""

    total: int
    """Bytes in all."""
    free: int | None
    """Bytes that a new process could take; None where the system does not tell."""
    limit: int | None
    """Bytes that the container may take, where that is less than all; None without a limit."""


def memory_of_this_machine() -> Memory | None:
    """What the system tells; None where nothing is known of how to ask it."""
    if _MEMINFO.exists():
        total, free = understood(_MEMINFO.read_text("ascii"))
        return Memory(total, free, container_limit(total, _LIMITS))
    names: dict[str, int] = getattr(os, "sysconf_names", {})  # Windows has none
    if "SC_PHYS_PAGES" not in names:
        return None
    return Memory(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None, None)


def understood(meminfo: str) -> tuple[int, int | None]:
    """(bytes in all, bytes that are free for a new process) from the text of /proc/meminfo.

    Raises:
        ValueError: it tells no total.
    """
    kib = {name: int(value) for name, value in re.findall(r"(?m)^(\w+):\s+(\d+) kB$", meminfo)}
    if "MemTotal" not in kib:
        raise ValueError("/proc/meminfo has no MemTotal")
    free = kib.get("MemAvailable")  # what caches hold is free to take, and counted in this one
    return kib["MemTotal"] * 1024, None if free is None else free * 1024


def container_limit(total: int, files: tuple[Path, ...]) -> int | None:
    """The least of the limits that stand in `files` and are below `total`; None without any."""
    limits = []
    for path in files:
        try:
            text = path.read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < total:  # without a limit: `max`, or a huge number
            limits.append(int(text))
    return min(limits, default=None)
