"""Halving and doubling keep what they must, and nothing leaks from under the hole."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from infusion_engine.diffusion.pyramid import (
    PyramidLevel,
    beneath,
    coarser,
    detail_spread,
    doubled,
    halved,
    known_range,
    without_detail,
)

SIZES = [(16, 16), (17, 16), (16, 19), (13, 7)]


def ramp(height: int, width: int) -> Tensor:
    """(3, 2, H, W), linear along rows and columns, another one in each channel and frame."""
    rows, columns = torch.arange(float(height))[:, None], torch.arange(float(width))
    slopes = torch.tensor([[0.25, -1.0], [0.5, 0.125], [-0.75, 2.0]])  # (channel, frame)
    slopes = slopes[:, :, None, None]
    return slopes * rows + (1.0 - slopes) * columns + 3.0


def square(side: int, *, size: int = 64, frames: int = 2) -> Tensor:
    """(1, T, H, W) with a square hole in the last frame alone."""
    hole = torch.zeros(1, frames, size, size)
    hole[0, -1, 8 : 8 + side, 8 : 8 + side] = 1.0
    return hole


@st.composite
def clips(draw: st.DrawFn) -> PyramidLevel:
    """Any small clip with any hole, 0 in the hole as a clip is."""
    shape = tuple(draw(st.integers(1, 9)) for _ in range(3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    hole = (torch.rand(1, *shape, generator=generator) < draw(st.floats(0.0, 1.0))).float()
    return PyramidLevel(torch.randn(3, *shape, generator=generator) * (1 - hole), hole)


def test_halving_is_the_mean_of_four() -> None:
    """And of what there is where an odd edge leaves fewer than four."""
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    expected = torch.tensor([[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]])
    assert torch.equal(halved(x)[0, 0], expected)


@pytest.mark.parametrize(("height", "width"), [*SIZES, (1, 1), (1, 6), (2, 3)])
def test_constants_come_through_both_ways(height: int, width: int) -> None:
    """Up to the very edges, at odd sizes too."""
    x = torch.full((3, 2, height, width), 0.7)
    small = halved(x)
    assert small.shape == (3, 2, -(-height // 2), -(-width // 2))
    assert torch.allclose(small, torch.tensor(0.7), atol=1e-6)
    large = doubled(small, (height, width))
    assert large.shape == x.shape
    assert torch.allclose(large, x, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_linear_ramps_come_back_where_they_were(height: int, width: int) -> None:
    """No shift by a half or a quarter pixel, away from the edges; frames never mix."""
    x = ramp(height, width)
    back = doubled(halved(x), (height, width))
    inside = (..., slice(1, -3), slice(1, -3))
    assert torch.allclose(back[inside], x[inside], atol=1e-5)


@given(clips())
def test_a_coarse_pixel_is_missing_where_the_hole_touches_it(level: PyramidLevel) -> None:
    """If one of the pixels that it stands for is missing, and not otherwise."""
    small = coarser(level)
    frames, height, width = level.hole.shape[1:]
    assert small.size == (-(-height // 2), -(-width // 2))
    for t in range(frames):
        for row in range(small.size[0]):
            for column in range(small.size[1]):
                block = level.hole[0, t, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                assert float(small.hole[0, t, row, column]) == float(block.max())


@given(clips())
def test_known_coarse_pixels_hold_known_values_alone(level: PyramidLevel) -> None:
    """Huge values under the hole change no bit; missing coarse pixels are 0, as in any clip."""
    poisoned = PyramidLevel(torch.where(level.hole > 0, 1e30, level.x_0), level.hole)
    clean, other = coarser(level), coarser(poisoned)
    assert torch.equal(clean.x_0, other.x_0)
    assert not (clean.x_0 * clean.hole).any()
    known = (clean.hole == 0).expand_as(clean.x_0)
    assert torch.equal(clean.x_0[known], halved(level.x_0)[known])


def test_the_range_is_that_of_each_channel_s_known_values() -> None:
    """Highlights are within it, and nothing of the hole: predicted x_0 may reach them, no more."""
    hole = square(5, size=12)
    x_0 = torch.rand(3, 2, 12, 12)
    x_0[:, 0, 0, 0] = torch.tensor([9.0, -4.0, 0.5])
    x_0 = torch.where(hole > 0, -77.0, x_0)
    lowest, highest = known_range(PyramidLevel(x_0, hole))
    known = x_0[:, hole[0] == 0]
    assert lowest == tuple(known.amin(1).tolist())
    assert highest == tuple(known.amax(1).tolist())
    assert (highest[0], lowest[1]) == (9.0, -4.0)
    assert min(lowest) > -77.0


def test_without_a_known_voxel_the_range_is_the_encoding_s() -> None:
    """There has to be something to clip at."""
    nothing = PyramidLevel(torch.zeros(3, 1, 4, 4), torch.ones(1, 1, 4, 4))
    assert known_range(nothing) == ((-1.0,) * 3, (1.0,) * 3)


def test_beneath_a_part_lies_what_its_halving_makes() -> None:
    """Cut out of the coarser part it is the finer part's own halving, up to an odd edge."""
    torch.manual_seed(2)
    whole = PyramidLevel(torch.randn(3, 2, 23, 31), torch.zeros(1, 2, 23, 31))
    small = coarser(whole)
    kept = PyramidLevel(small.x_0[..., 1:, 2:], small.hole[..., 1:, 2:], (1, 2))
    fine = PyramidLevel(whole.x_0[..., 6:, 8:20], whole.hole[..., 6:, 8:20], (6, 8))
    rows, columns = beneath(fine.part, kept.part)
    assert torch.equal(kept.x_0[..., rows, columns], coarser(fine).x_0)


def test_detail_is_added_to_the_fill_in_the_hole_and_to_the_plate_s_means_outside() -> None:
    """A coarse pixel known in part is mixed by how much of it is known: no outline shows."""
    torch.manual_seed(4)
    hole = square(13, size=31)
    plate = torch.zeros(3, 2, 31, 31)
    found = without_detail(torch.ones(3, 2, 16, 16), PyramidLevel(plate, hole))
    assert torch.equal(found, doubled(halved(hole), (31, 31)).expand_as(found))
    x_0, filled = torch.randn(3, 2, 31, 31) * (1 - hole), torch.randn(3, 2, 16, 16)
    found = without_detail(filled, PyramidLevel(x_0, hole))
    assert torch.equal(found[:, 0], doubled(halved(x_0), (31, 31))[:, 0])  # no hole in this frame
    deep = (slice(None), 1, slice(11, 18), slice(11, 18))
    assert torch.equal(found[deep], doubled(filled, (31, 31))[deep])


@given(clips(), st.integers(0, 100))
def test_only_the_fill_itself_is_taken_from_the_coarser_level(
    level: PyramidLevel, seed: int
) -> None:
    """What the fill holds where nothing is missing, and the plate under the hole, have no say."""
    torch.manual_seed(seed)
    height, width = level.size
    filled = torch.randn(3, level.hole.shape[1], -(-height // 2), -(-width // 2))
    missing = torch.nn.functional.max_pool2d(coarser(level).hole, 3, stride=1, padding=1) > 0
    wild = torch.where(missing, filled, 1e30)  # beyond what is doubled into missing pixels
    poisoned = PyramidLevel(torch.where(level.hole > 0, 1e30, level.x_0), level.hole)
    assert torch.equal(without_detail(wild, poisoned), without_detail(filled, level))


@pytest.mark.parametrize("amplitude", [0.02, 0.5])
def test_detail_spread_is_the_deviation_of_what_halving_takes(amplitude: float) -> None:
    """A checkerboard is wholly lost, a shade behind it not at all, however small the known part."""
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(16, 16) * amplitude
    x_0 = (0.3 + board).expand(3, 2, 32, 32)
    for side in (0, 24):
        hole = square(side, size=32)
        level = PyramidLevel(x_0 * (1 - hole), hole)
        assert detail_spread(level, x_0) == pytest.approx(amplitude, rel=1e-4)


def test_detail_under_the_hole_does_not_count() -> None:
    """Wherever the known pixels cannot feel it, even huge values there change nothing."""
    torch.manual_seed(1)
    x_0 = torch.randn(3, 2, 32, 32)
    hole = square(16, size=32)
    inside = torch.zeros_like(hole)
    inside[..., -1, 12:20, 12:20] = 1.0
    level = PyramidLevel(x_0 * (1 - hole), hole)
    wild = torch.where(inside > 0, 1e6, x_0)
    assert detail_spread(level, wild) == detail_spread(level, x_0)


def test_a_flat_or_unknown_clip_has_a_small_spread_to_divide_by() -> None:
    """Never zero."""
    flat = torch.full((3, 2, 8, 8), 0.4)
    nothing, everything = torch.zeros(1, 2, 8, 8), torch.ones(1, 2, 8, 8)
    assert detail_spread(PyramidLevel(flat, nothing), flat) == 1e-3
    noise = torch.randn(3, 2, 8, 8)
    assert detail_spread(PyramidLevel(torch.zeros(3, 2, 8, 8), everything), noise) == 1e-3
