"""FrameRange: inclusive ranges as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_engine.errors import UsageError
from infusion_engine.media.frame_range import FrameRange

FRAMES = st.integers(-100_000, 100_000)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("1001-1048", 1001, 1048), (" 7 ", 7, 7), ("-8--5", -8, -5), ("-3-2", -3, 2), ("1 - 4", 1, 4)],
)
def test_a_range_is_read_as_written(text: str, first: int, last: int) -> None:
    """Both ends are included, a lone number is one frame, and frames may be negative."""
    assert FrameRange.parse(text) == FrameRange(first, last)


@given(FRAMES, st.integers(0, 1000))
def test_what_is_shown_can_be_read_back(first: int, count: int) -> None:
    """A range's text means that same range, at any sign."""
    frames = FrameRange(first, first + count)
    assert FrameRange.parse(str(frames)) == frames


@pytest.mark.parametrize(
    "text", ["", "abc", "1001-", "1-2-3", "1001-1048x2", "1,2,3", "1.5", "--", "٣"]
)
def test_anything_else_is_refused(text: str) -> None:
    """Steps, lists and slips are refused with the form that was expected."""
    with pytest.raises(UsageError, match="FIRST-LAST"):
        FrameRange.parse(text)


def test_a_reversed_range_is_refused_with_the_right_order() -> None:
    """1048-1001 is refused, and the message says what to write."""
    with pytest.raises(UsageError, match=r"reversed.*Write 1001-1048"):
        FrameRange.parse("1048-1001")


def test_both_ends_belong_to_the_range() -> None:
    """Iteration, length and membership include the first and the last frame."""
    frames = FrameRange(-1, 2)
    assert list(frames) == [-1, 0, 1, 2]
    assert len(frames) == 4
    assert [frame in frames for frame in (-2, -1, 2, 3)] == [False, True, True, False]


def test_handles_grow_both_sides() -> None:
    """A grown range has as many more frames before as after."""
    assert FrameRange(10, 12).grown(3) == FrameRange(7, 15)
