"""Clip memory: it follows what is worked on, however large the plate around it."""

from __future__ import annotations

from infusion_engine.clip_memory import ClipMemory, clip_memory
from infusion_engine.media.box import Box

PARTS = (Box(0, 0, 10, 5), Box(4, 2, 24, 12))


def test_the_finest_level_is_sampled() -> None:
    """And all levels' clips are held; three frames of 10x5 and 20x10 pixels."""
    found = clip_memory(PARTS, 3)
    assert found == ClipMemory(clips=3 * 250, sampled=3 * 200)
    assert found.clip_bytes == 16 * 750
    assert found.held() == 16 * 750 + 100 * 600


def test_further_layouts_are_held_beside() -> None:
    """Each with its sample and prediction."""
    found = clip_memory(PARTS, 3)
    assert found.held(layouts=3) - found.held() == 2 * 36 * 600


def test_what_lies_on_disk_takes_the_same_whatever_its_size() -> None:
    """Pages, which are let go of."""
    assert clip_memory(PARTS, 3).held(on_disk=True) == ClipMemory(0, 0).held(on_disk=True) > 0
