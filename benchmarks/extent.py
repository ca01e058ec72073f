"""Extent: how large everything in the suite is, whole or just to try the path."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import parity
from benchmarks.duel import Terms


@dataclass(frozen=True)
class Extent:
    """How large everything is."""

    terms: Terms
    """What the two presets are given; the shot has those of `standard`."""
    shot: tuple[int, int, int]
    """Frames, rows and columns."""
    depth: parity.Depth
    """Of the comparison of precisions."""
    reserved: float
    """Seconds that the race leaves for the shot."""


WHOLE = Extent(
    Terms(paper={"steps_per_interval": "2000"}, standard={}),
    shot=(60, 240, 432),
    depth=parity.FULL,
    reserved=150.0,
)
_FEW = (
    *("batch=1", "channels=8", "intervals=2", "steps_per_interval=2", "sampling_steps=2"),
    *("detail_intervals=1", "detail_steps_per_interval=1", "detail_sampling_steps=1"),
)
TINY = Extent(
    Terms(
        paper={"intervals": "2", "steps_per_interval": "1", "sampling_steps": "1"},
        standard=dict(number.split("=") for number in _FEW),
    ),
    shot=(3, 192, 192),
    depth=parity.TINY,
    reserved=0.0,
)
