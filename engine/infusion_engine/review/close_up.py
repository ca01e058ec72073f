"""The close-up: boxes of one size around the holes of several frames."""

from __future__ import annotations

from collections.abc import Iterable

from infusion_engine.media.box import Box

CONTEXT = 24
"""Plate pixels shown around the matte."""


def close_size(holes: Iterable[Box], frame: Box) -> tuple[int, int]:
    """(width, height) of a close-up that holds every one of `holes` with its context."""
    boxes = list(holes)
    return (
        min(frame.width, max(box.width for box in boxes) + 2 * CONTEXT),
        min(frame.height, max(box.height for box in boxes) + 2 * CONTEXT),
    )


def close_box(hole: Box, frame: Box, size: tuple[int, int]) -> Box:
    """A box of `size` centred on the hole (on the frame without one) and moved inside the frame."""
    width, height = size
    centred = frame if hole.is_empty else hole
    x0 = (centred.x0 + centred.x1 - width) // 2
    y0 = (centred.y0 + centred.y1 - height) // 2
    x0 = min(max(x0, frame.x0), frame.x1 - width)
    y0 = min(max(y0, frame.y0), frame.y1 - height)
    return Box(x0, y0, x0 + width, y0 + height)
