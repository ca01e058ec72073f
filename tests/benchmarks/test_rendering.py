"""Renderings: options become flags of the real command, and its failure is told."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.rendering import Rendering, add_rendering, rendered, rendering_of


def test_options_are_handed_on() -> None:
    """Preset, minutes and numbers."""
    parser = argparse.ArgumentParser()
    add_rendering(parser)
    asked = parser.parse_args(
        ["--minutes", "8", "--set", "batch=2", "--set", "ema=0.5", "--threads", "3"]
    )
    assert rendering_of(asked) == Rendering(
        "draft", {"batch": "2", "ema": "0.5"}, ("--minutes", "8"), 3, "cpu"
    )
    with pytest.raises(SystemExit):
        parser.parse_args(["--set", "batch"])


def test_the_last_lines_of_a_failing_render_are_told(tmp_path: Path) -> None:
    """What the command said, and its exit code."""
    with pytest.raises(RuntimeError, match=r"ended with 3:\n.*nowhere"):
        rendered(Rendering(), tmp_path / "nowhere", tmp_path / "nowhere", tmp_path / "out")
