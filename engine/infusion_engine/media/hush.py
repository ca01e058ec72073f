"""Hushes a library that prints: while it is called, nothing reaches stdout or stderr."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_STDERR = 2


@contextmanager
def hushed() -> Iterator[None]:
    """Drop what is printed while the block runs: on `sys.stdout`, and on stderr below Python.

    For a call into a library that tells of damage twice, by an error and by printing: we say it
    ourselves, once, and stdout may be read by a program. Meant for one call, since it concerns the
    whole process.
    """
    with redirect_stdout(io.StringIO()), _nowhere(_STDERR):
        yield


@contextmanager
def _nowhere(descriptor: int) -> Iterator[None]:
    """Point a file descriptor at nothing while the block runs; one that is closed stays closed."""
    try:
        kept = os.dup(descriptor)
    except OSError:
        yield
        return
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, descriptor)
        finally:
            os.close(nothing)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
