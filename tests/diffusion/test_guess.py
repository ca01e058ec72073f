"""The smooth guess: known voxels untouched, missing ones between known ones, and nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from infusion_engine.diffusion.guess import smooth_guess
from infusion_engine.diffusion.memory import remembered


def guessed(x: Tensor, hole: Tensor) -> Tensor:
    """The guess of what has no memory."""
    nothing = torch.zeros_like(x[:, :, :1])
    return smooth_guess(x, hole, nothing, nothing[:, :1])


def recalled(x: Tensor, hole: Tensor) -> Tensor:
    """The guess that begins with what other frames saw."""
    memory = remembered(x, 1 - hole, variance=1.0)
    return smooth_guess(x, hole, memory.mean, memory.weight)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """(x, hole) of any size, odd ones and single frames too, with any share missing."""
    batch, frames = draw(st.integers(1, 2)), draw(st.integers(1, 6))
    height, width = draw(st.integers(1, 21)), draw(st.integers(1, 21))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    share = draw(st.sampled_from([0.0, 0.3, 0.9, 0.99, 1.0]))
    hole = torch.rand(batch, 1, frames, height, width, generator=generator) < share
    x = torch.randn(batch, 3, frames, height, width, generator=generator)
    return x, hole.float()


@given(windows())
def test_known_voxels_are_kept_bit_for_bit(window: tuple[Tensor, Tensor]) -> None:
    """Whatever lies around them, and whatever other frames saw there."""
    x, hole = window
    known = (hole == 0).expand_as(x)
    assert torch.equal(guessed(x, hole)[known], x[known])
    assert torch.equal(recalled(x, hole)[known], x[known])


@given(windows(), st.booleans())
def test_it_never_leaves_the_range_of_known_values(
    window: tuple[Tensor, Tensor], remembers: bool
) -> None:
    """Per clip and channel, with a memory or without; where nothing at all is known it is 0."""
    x, hole = window
    found = recalled(x, hole) if remembers else guessed(x, hole)
    assert found.shape == x.shape
    assert bool(torch.isfinite(found).all())
    for clip, guess, missing in zip(x, found, hole, strict=True):
        for channel, of_guess in zip(clip, guess, strict=True):
            seen = channel[missing[0] == 0]
            if len(seen) == 0:
                assert not of_guess.any()
            else:
                rounding = 1e-5 * float(seen.abs().max())
                assert float(of_guess.min()) >= float(seen.min()) - rounding
                assert float(of_guess.max()) <= float(seen.max()) + rounding


@pytest.mark.parametrize("poison", [1e30, math.nan, math.inf])
@given(window=windows())
def test_what_the_hole_holds_is_not_looked_at(window: tuple[Tensor, Tensor], poison: float) -> None:
    """Not a bit of it, be it no number at all."""
    x, hole = window
    poisoned = torch.where(hole > 0, poison, x)
    assert torch.equal(guessed(poisoned, hole), guessed(x, hole))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 13), (5, 1, 1), (7, 32, 17)])
def test_one_known_voxel_fills_all(shape: tuple[int, int, int]) -> None:
    """Flat surroundings give a flat guess, however little of them there is."""
    hole = torch.ones(1, 1, *shape)
    hole[..., -1, 0, -1] = 0.0
    found = guessed(torch.full((1, 3, *shape), 0.6), hole)
    assert torch.allclose(found, torch.tensor(0.6), atol=1e-5)


def test_one_known_voxel_fills_a_long_clip() -> None:
    """A share of a millionth is still something known."""
    shape = (1, 1, 32, 256, 256)
    hole = torch.ones(shape)
    hole[..., 3, 100, 200] = 0.0
    assert torch.allclose(guessed(torch.ones(shape), hole), torch.tensor(1.0), atol=1e-5)


def test_it_goes_smoothly_from_side_to_side() -> None:
    """Between dark and bright surroundings it rises from the one to the other without a jump."""
    x = torch.ones(1, 3, 4, 32, 64)
    x[..., :32] = -1.0
    hole = torch.zeros(1, 1, 4, 32, 64)
    hole[..., 16:48] = 1.0
    across = guessed(x, hole)[0, :, :, 8:24].mean((0, 1, 2))[15:49]  # known ends and the hole
    strides = across.diff()
    assert float(across[1]) < -0.7
    assert float(across[-2]) > 0.7
    assert bool((strides > -1e-5).all())
    assert float(strides.max()) < 0.35  # of a difference of 2


def test_a_frame_s_own_neighbours_say_more_than_other_frames() -> None:
    """A dark frame between bright ones is filled dark."""
    x = torch.ones(1, 3, 5, 16, 16)
    x[:, :, 2] = -1.0
    hole = torch.zeros(1, 1, 5, 16, 16)
    hole[:, :, :, 6:8, 6:8] = 1.0
    found = guessed(x, hole)
    assert float(found[0, :, 2, 6:8, 6:8].max()) < 0.0
    assert float(found[0, :, 0, 6:8, 6:8].min()) > 0.0


def test_a_wholly_missing_frame_is_guessed_from_the_others() -> None:
    """Nearer frames count more."""
    x = torch.arange(8.0)[:, None, None].expand(1, 1, 8, 12, 12)
    hole = torch.zeros(1, 1, 8, 12, 12)
    hole[:, :, [1, 6]] = 1.0
    early, late = guessed(x, hole)[0, 0, [1, 6]].mean((1, 2)).tolist()
    assert 0.0 <= early < 3.0
    assert 4.0 < late <= 7.0


def test_clips_of_a_batch_know_nothing_of_one_another() -> None:
    """Each is guessed as if it were alone."""
    torch.manual_seed(2)
    x = torch.randn(3, 3, 3, 9, 9)
    hole = (torch.rand(3, 1, 3, 9, 9) < 0.7).float()
    alone = [recalled(x[i : i + 1], hole[i : i + 1]) for i in range(3)]
    assert torch.allclose(recalled(x, hole), torch.cat(alone), atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1 / 9, 0.5, 0.9])
def test_memory_fills_a_missing_voxel_as_far_as_its_weight_says(weight: float) -> None:
    """Bright memory, dark surroundings; the rest comes from these, none of it at no weight."""
    x, hole = torch.zeros(1, 3, 4, 16, 16), torch.zeros(1, 1, 4, 16, 16)
    hole[..., 2, 6, 9] = 1.0
    mean = torch.ones(1, 3, 1, 16, 16)
    found = smooth_guess(x, hole, mean, weight * mean[:, :1])[..., 2, 6, 9]
    own_share = weight / (3 + weight)  # of the 2 x 2 box that the surroundings begin with
    assert float(found.min()) >= weight - 1e-6
    assert float(found.max()) <= weight + (1 - weight) * own_share + 1e-6


@given(windows())
def test_a_memory_of_no_weight_is_none(window: tuple[Tensor, Tensor]) -> None:
    """Whatever colour it holds: not a bit of it is looked at."""
    x, hole = window
    mean = torch.full_like(x[:, :, :1], 1e30)
    assert torch.equal(smooth_guess(x, hole, mean, 0.0 * mean[:, :1]), guessed(x, hole))


def test_a_still_place_is_guessed_from_what_other_frames_saw_of_it() -> None:
    """What a matte uncovers is known from two frames on, and from one in part."""
    torch.manual_seed(3)
    frames = 48
    plate = torch.randn(1, 3, 1, 12, 12).expand(-1, -1, frames, -1, -1)
    hole = torch.zeros(1, 1, frames, 12, 12)
    hole[:, :, : frames // 4] = 1.0  # the whole frame, until a quarter of the shot is over

    def error(seen: int) -> float:
        memory = remembered(plate[:, :, :seen], torch.ones(1, 1, seen, 12, 12), variance=1.0)
        missed = (smooth_guess(plate, hole, memory.mean, memory.weight) - plate)[:, :, 0]
        return float(missed.pow(2).mean()) / float(plate.var())

    assert error(2) < 1e-9
    assert 0.1 < error(1) < 1.0
