"""The layout: how often a clip is halved, and what each size keeps of the plate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_engine.diffusion.layout import halvings, lay_out
from infusion_engine.media.box import Box
from infusion_engine.settings import PRESETS, Area

DRAFT = replace(PRESETS["draft"], working_size=(4096, 2160))
HD = Box(-16, 8, 1904, 1088)


@pytest.mark.parametrize(
    ("side", "asked", "count"),
    [(32, 0, 0), (32, 32, 0), (32, 31, 1), (32, 17, 1), (32, 16, 2), (32, 8, 3), (5, 32, 0)],
)
def test_halving_stops_when_the_hole_is_small_enough(side: int, asked: int, count: int) -> None:
    """A coarser hole is a pixel wider than half of the finer one; 0 works at one size."""
    assert halvings(side, asked) == count


def test_a_clip_without_a_hole_is_not_halved() -> None:
    """There is no layout to settle."""
    assert halvings(0, 1) == 0
    assert halvings(1, 1) == 0


@given(st.data())
def test_every_part_holds_the_hole_its_context_and_what_lies_under_the_finer_part(
    data: st.DataObject,
) -> None:
    """As far as the plate goes; corners are even, so that coarser pixels lie beneath whole ones."""
    width, height = data.draw(st.integers(1, 700)), data.draw(st.integers(1, 500))
    x0, y0 = (data.draw(st.integers(0, 1919 - width)), data.draw(st.integers(0, 1079 - height)))
    hole = Box(HD.x0 + x0, HD.y0 + y0, HD.x0 + x0 + width, HD.y0 + y0 + height)
    pixels = data.draw(st.integers(1, width * height))
    layout = lay_out(hole, pixels, HD, DRAFT)
    origin = layout.region.box
    assert origin.intersection(HD) == origin
    assert len(layout.parts) == 1 + halvings(pixels**0.5, DRAFT.coarsest_hole_pixels)
    rows, columns = layout.region.padded
    grids = [Box(0, 0, -(-columns // 2**k), -(-rows // 2**k)) for k in range(len(layout.parts))]
    for k, (part, grid) in enumerate(zip(reversed(layout.parts), grids, strict=True)):
        own = Box(
            (hole.x0 - origin.x0) // 2**k,
            (hole.y0 - origin.y0) // 2**k,
            -(-(hole.x1 - origin.x0) // 2**k),
            -(-(hole.y1 - origin.y0) // 2**k),
        ).grown(DRAFT.context_pixels)
        wanted = own.intersection(grid)
        assert part.union(wanted) == part
        assert part.intersection(grid) == part
        assert (part.x0 % 2, part.y0 % 2) == (0, 0)
        # And hardly more: what is kept is paid for.
        assert part.width <= wanted.width + 4
        assert part.height <= wanted.height + 4
    for coarse, fine in pairwise(layout.parts):
        under = Box(fine.x0 // 2, fine.y0 // 2, -(-fine.x1 // 2), -(-fine.y1 // 2))
        assert coarse.union(under) == coarse


def test_what_is_filled_is_the_finest_part() -> None:
    """In the plate's own pixels, the hole and its context; more of the plate is only read."""
    layout = lay_out(Box(800, 400, 1100, 700), 90_000, HD, DRAFT)
    finest = layout.finest
    assert finest.is_native
    assert finest.box == Box(800 - 96, 400 - 96, 1100 + 96, 700 + 96)
    assert len(layout.parts) == 5
    assert layout.region.box == HD  # 96 pixels at a sixteenth of the size reach further


def test_a_clip_at_one_size_is_read_as_far_as_its_context() -> None:
    """Nothing coarser has to see further."""
    layout = lay_out(Box(800, 400, 820, 420), 400, HD, DRAFT)
    assert len(layout.parts) == 1
    assert layout.finest.box == Box(704, 304, 916, 516)
    assert layout.region.box == Box(704, 304, 920, 520)  # multiples of 8


def test_a_reduced_region_is_kept_whole_at_every_size() -> None:
    """Its context is counted at working size already."""
    small = replace(DRAFT, working_size=(432, 240))
    layout = lay_out(Box(300, 200, 1500, 900), 800_000, HD, small)
    assert not layout.region.is_native
    assert layout.finest == layout.region
    height, width = layout.region.padded
    assert layout.parts[-1] == Box(0, 0, width, height)
    for coarse, fine in pairwise(layout.parts):
        assert coarse == Box(0, 0, -(-fine.width // 2), -(-fine.height // 2))


def test_the_whole_frame_is_kept_where_it_is_worked_on() -> None:
    """As published."""
    layout = lay_out(Box(10, 10, 20, 20), 100, HD, replace(PRESETS["paper"], area=Area.FRAME))
    assert layout.region.box == HD
    assert len(layout.parts) == 1
