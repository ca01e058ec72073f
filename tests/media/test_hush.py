"""A library's own words while it is called: they reach nobody, and then all is as before."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from infusion_engine.media.hush import hushed


def say(word: str) -> None:
    """Print on Python's stdout and, as a C library does, straight to stderr."""
    sys.stdout.write(f"{word}\n")
    os.write(2, f"{word}\n".encode())


def test_nothing_is_heard_from_inside(capfd: pytest.CaptureFixture[str]) -> None:
    """Both streams are silent in the block and heard again after it."""
    with hushed():
        say("inside")
    say("after")
    assert capfd.readouterr() == ("after\n", "after\n")


def test_an_error_goes_up_and_the_streams_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    """What is raised inside is not touched; no descriptor is left open."""
    stdout, descriptors = sys.stdout, len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(RuntimeError, match="broken"), hushed():
        raise RuntimeError("broken")
    assert sys.stdout is stdout
    assert len(list(Path("/dev/fd").iterdir())) == descriptors
    say("after")
    assert capfd.readouterr() == ("after\n", "after\n")
