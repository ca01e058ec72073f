"""The region: where the work is done, at what size, and how pixels get there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_engine.media.box import Box
from infusion_engine.media.region import ALIGNMENT, Region, choose_region
from infusion_engine.settings import PRESETS, Area

DRAFT = replace(PRESETS["draft"], working_size=(432, 240))
PAPER = PRESETS["paper"]
HD = Box(0, 0, 1920, 1080)


@st.composite
def shots(draw: st.DrawFn) -> tuple[Box, Box]:
    """(hole, canvas): any canvas, of negative origin too, with a hole inside."""
    x, y = draw(st.integers(-500, 500)), draw(st.integers(-500, 500))
    width, height = draw(st.integers(1, 4096)), draw(st.integers(1, 3000))
    canvas = Box(x, y, x + width, y + height)
    x0, y0 = draw(st.integers(x, x + width - 1)), draw(st.integers(y, y + height - 1))
    x1, y1 = draw(st.integers(x0 + 1, x + width)), draw(st.integers(y0 + 1, y + height))
    return Box(x0, y0, x1, y1), canvas


def within(inner: Box, outer: Box) -> bool:
    """True when every pixel of `inner` is in `outer`."""
    return inner.intersection(outer) == inner


@given(shots())
def test_the_hole_and_its_context_are_inside(shot: tuple[Box, Box]) -> None:
    """As many pixels around the hole as asked, at working size, where the canvas has them."""
    hole, canvas = shot
    region = choose_region(hole, canvas, DRAFT)
    assert within(region.box, canvas)
    context = DRAFT.context_pixels
    if not region.is_native:
        # Sizes are multiples of ALIGNMENT: the scale is only nearly what was aimed at.
        scale = (region.width * region.height / (region.box.width * region.box.height)) ** 0.5
        context = max(context, int(0.8 * context / scale))
    assert within(hole.grown(context).intersection(canvas), region.box)


@given(shots())
def test_the_work_is_no_larger_than_the_working_size(shot: tuple[Box, Box]) -> None:
    """In pixels, whatever its shape; and it is never larger than the plate itself."""
    hole, canvas = shot
    region = choose_region(hole, canvas, DRAFT)
    assert 0 < region.width * region.height <= 432 * 240
    assert region.width <= region.box.width
    assert region.height <= region.box.height


@given(shots())
def test_what_fits_is_worked_at_native_size(shot: tuple[Box, Box]) -> None:
    """The hole and its context within the working size's pixels: nothing is resized."""
    hole, canvas = shot
    needed = hole.grown(DRAFT.context_pixels).intersection(canvas)
    if needed.width * needed.height <= 432 * 240:
        assert choose_region(hole, canvas, DRAFT).is_native


@given(shots())
def test_a_reduced_region_has_no_padding(shot: tuple[Box, Box]) -> None:
    """Its sides are multiples of what the networks need."""
    hole, canvas = shot
    region = choose_region(hole, canvas, DRAFT)
    if not region.is_native and min(region.width, region.height) >= ALIGNMENT:
        assert region.padded == (region.height, region.width)


def test_a_native_region_is_aligned_where_the_canvas_has_room() -> None:
    """An odd hole in the middle of a large canvas needs no padding."""
    region = choose_region(Box(501, 303, 558, 377), HD, DRAFT)
    assert region.is_native
    assert (region.width % ALIGNMENT, region.height % ALIGNMENT) == (0, 0)
    assert region.padded == (region.height, region.width)


def test_a_small_odd_canvas_is_padded() -> None:
    """Where there is no room, the network's size is more than the plate's."""
    region = choose_region(Box(5, 5, 9, 9), Box(0, 0, 30, 21), DRAFT)
    assert region.box == Box(0, 0, 30, 21)
    assert region.padded == (24, 32)


def test_a_large_hole_is_reduced_in_shape() -> None:
    """Both directions by about the same factor."""
    region = choose_region(Box(200, 200, 1200, 900), HD, DRAFT)
    across, down = region.width / region.box.width, region.height / region.box.height
    assert across == pytest.approx(down, rel=0.06)
    assert region.width * region.height > 0.9 * 432 * 240


@pytest.mark.parametrize("size", [(1920, 1080), (640, 360), (854, 480), (500, 300)])
def test_the_published_frame_is_resized_to_the_working_size(size: tuple[int, int]) -> None:
    """The whole frame, exactly 432 x 240, its shape not kept."""
    canvas = Box(-8, 4, size[0] - 8, size[1] + 4)
    region = choose_region(Box(10, 10, 12, 12), canvas, PAPER)
    assert region == Region(canvas, 432, 240)


@pytest.mark.parametrize("size", [(432, 240), (352, 240), (256, 200)])
def test_the_published_frame_is_left_as_it_is_when_smaller(size: tuple[int, int]) -> None:
    """Native size; nothing is enlarged."""
    region = choose_region(Box(1, 1, 2, 2), Box(0, 0, *size), PAPER)
    assert region == Region(Box(0, 0, *size), *size)
    assert region.is_native


def test_area_and_working_size_are_settings() -> None:
    """A smaller working size reduces more; area = frame takes all of the canvas."""
    hole = Box(100, 100, 500, 400)
    small = choose_region(hole, HD, replace(DRAFT, working_size=(128, 64)))
    assert small.width * small.height <= 128 * 64
    assert choose_region(hole, HD, replace(DRAFT, area=Area.FRAME)).box == HD


REDUCED = [
    Region(Box(0, 0, 64, 48), 32, 16),
    Region(Box(-37, -5, 64, 48), 48, 32),
    Region(Box(3, 3, 20, 20), 16, 16),
]


@pytest.mark.parametrize("region", REDUCED, ids=str)
@pytest.mark.parametrize("value", [0.0, -3.5, 0.18, 65504.0])
def test_a_constant_stays_constant(region: Region, value: float) -> None:
    """There and back, with three channels and with none."""
    for shape in ((), (3,)):
        full = np.full((region.box.height, region.box.width, *shape), value, np.float32)
        small = region.shrink(full)
        assert small.shape == (region.height, region.width, *shape)
        assert small == pytest.approx(value, rel=1e-6)
        back = region.enlarge(small)
        assert back.shape == full.shape
        assert back == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("region", REDUCED, ids=str)
def test_shrinking_is_a_mean(region: Region) -> None:
    """The mean of the whole is kept, and every pixel has the same weight in it."""
    rng = np.random.default_rng(0)
    full = rng.normal(size=(region.box.height, region.box.width, 3))
    small = region.shrink(full)
    assert small.mean((0, 1)) == pytest.approx(full.mean((0, 1)), abs=1e-6)
    assert np.abs(small).max() < np.abs(full).max()


def test_shrinking_by_whole_factors_is_a_block_mean() -> None:
    """Each pixel is the mean of exactly the pixels it covers."""
    rng = np.random.default_rng(0)
    full = rng.normal(size=(48, 64)).astype(np.float32)
    small = Region(Box(10, 20, 74, 68), 32, 16).shrink(full)
    assert np.allclose(small, full.reshape(16, 3, 32, 2).mean((1, 3)), atol=1e-6)


@pytest.mark.parametrize("region", REDUCED, ids=str)
def test_enlarging_keeps_what_varies_slowly(region: Region) -> None:
    """A ramp comes back as a ramp, half a pixel nowhere."""
    height, width = region.box.height, region.box.width
    ramp = np.linspace(0, 1, width)[None, :] + np.linspace(0, 2, height)[:, None]
    back = region.enlarge(region.shrink(ramp))
    inner = (slice(height // 4, -height // 4), slice(width // 4, -width // 4))
    assert np.allclose(back[inner], ramp[inner], atol=0.01)


def test_enlarging_never_goes_beyond_what_it_is_given() -> None:
    """No ringing beside a flame: decoded from a logarithm it would be light of its own."""
    region = Region(Box(0, 0, 128, 128), 32, 32)
    edge = np.zeros((32, 32, 3), np.float32)
    edge[:, 16:] = [1.0, 0.5, -2.0]
    large = region.enlarge(edge)
    assert large.min((0, 1)).tolist() == [0.0, 0.0, -2.0]
    assert large.max((0, 1)).tolist() == [1.0, 0.5, 0.0]


def test_native_size_changes_no_value() -> None:
    """Nothing is resampled."""
    region = Region(Box(-4, -4, 28, 12), 32, 16)
    full = np.random.default_rng(0).normal(size=(16, 32, 3)).astype(np.float32)
    assert np.array_equal(region.shrink(full), full)
    assert np.array_equal(region.enlarge(full), full)
