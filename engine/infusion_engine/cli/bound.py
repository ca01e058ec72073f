"""Bound: infusion-render as a process that stops when the one that started it is gone.

A run that is killed with -9 ends nobody itself, and fits that it started on further devices would
hold them for hours. Linux alone sends a signal for that. Run it as

    python -m infusion_engine.cli.bound PID [ARGUMENTS of infusion-render]
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from infusion_engine.cli import render
from infusion_engine.errors import Cancelled

_PR_SET_PDEATHSIG = 1
"""Of Linux's prctl(2): which signal a process gets when the one that started it is gone."""


def main() -> None:
    """Bind this process to its parent, whose number comes first, and be infusion-render."""
    parent = int(sys.argv.pop(1))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:  # it was gone before this process could be bound to it
            sys.exit(Cancelled.exit_code)
    render.main(prog_name="infusion-render")


if __name__ == "__main__":
    main()
