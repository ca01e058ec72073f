"""The smooth guess: known voxels untouched, missing ones between known ones, and nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from infusion_engine.diffusion.guess import smooth_guess


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
    """Whatever lies around them."""
    x, hole = window
    known = (hole == 0).expand_as(x)
    assert torch.equal(smooth_guess(x, hole)[known], x[known])


@given(windows())
def test_it_never_leaves_the_range_of_known_values(window: tuple[Tensor, Tensor]) -> None:
    """Per clip and channel; where nothing at all is known it is 0."""
    x, hole = window
    found = smooth_guess(x, hole)
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
    assert torch.equal(smooth_guess(poisoned, hole), smooth_guess(x, hole))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 13), (5, 1, 1), (7, 32, 17)])
def test_one_known_voxel_fills_all(shape: tuple[int, int, int]) -> None:
    """Flat surroundings give a flat guess, however little of them there is."""
    hole = torch.ones(1, 1, *shape)
    hole[..., -1, 0, -1] = 0.0
    found = smooth_guess(torch.full((1, 3, *shape), 0.6), hole)
    assert torch.allclose(found, torch.tensor(0.6), atol=1e-5)


def test_one_known_voxel_fills_a_long_clip() -> None:
    """A share of a millionth is still something known."""
    shape = (1, 1, 32, 256, 256)
    hole = torch.ones(shape)
    hole[..., 3, 100, 200] = 0.0
    assert torch.allclose(smooth_guess(torch.ones(shape), hole), torch.tensor(1.0), atol=1e-5)


def test_it_goes_smoothly_from_side_to_side() -> None:
    """Between dark and bright surroundings it rises from the one to the other without a jump."""
    x = torch.ones(1, 3, 4, 32, 64)
    x[..., :32] = -1.0
    hole = torch.zeros(1, 1, 4, 32, 64)
    hole[..., 16:48] = 1.0
    across = smooth_guess(x, hole)[0, :, :, 8:24].mean((0, 1, 2))[15:49]  # known ends and the hole
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
    found = smooth_guess(x, hole)
    assert float(found[0, :, 2, 6:8, 6:8].max()) < 0.0
    assert float(found[0, :, 0, 6:8, 6:8].min()) > 0.0


def test_a_wholly_missing_frame_is_guessed_from_the_others() -> None:
    """Nearer frames count more."""
    x = torch.arange(8.0)[:, None, None].expand(1, 1, 8, 12, 12)
    hole = torch.zeros(1, 1, 8, 12, 12)
    hole[:, :, [1, 6]] = 1.0
    early, late = smooth_guess(x, hole)[0, 0, [1, 6]].mean((1, 2)).tolist()
    assert 0.0 <= early < 3.0
    assert 4.0 < late <= 7.0


def test_clips_of_a_batch_know_nothing_of_one_another() -> None:
    """Each is guessed as if it were alone."""
    torch.manual_seed(2)
    x = torch.randn(3, 3, 3, 9, 9)
    hole = (torch.rand(3, 1, 3, 9, 9) < 0.7).float()
    alone = [smooth_guess(x[i : i + 1], hole[i : i + 1]) for i in range(3)]
    assert torch.allclose(smooth_guess(x, hole), torch.cat(alone), atol=1e-6)
