"""Command: a command line that is run and waited for; where it fails its last lines are told."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


def printed(command: Sequence[str], limit: float | None = None) -> str:
    """What a command prints on stdout.

    Raises:
        RuntimeError: it failed.
        subprocess.TimeoutExpired: it took more than `limit` seconds.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-5:])
        raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}:\n{last}")
    return done.stdout
