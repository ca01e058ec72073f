"""Hints: what a level's guess holds, what other frames saw, and how much is to be expected."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.guess import smooth_guess
from infusion_engine.diffusion.hint import Hint, bare, coarsest_hint, detail_hint
from infusion_engine.diffusion.memory import remembered

SHAPE = (10, 12, 16)
"""Frames, rows and columns."""
PARTS = [f.name for f in fields(Hint)]


def hole() -> Tensor:
    """(1, 1, T, H, W): a block that moves by a column a frame, and one that stays."""
    found = torch.zeros(1, 1, *SHAPE)
    for t in range(SHAPE[0]):
        found[..., t, 3:7, t : t + 4] = 1.0
    found[..., 9:11, 2:5] = 1.0
    return found


def clip() -> Tensor:
    """(1, 3, T, H, W): the upper half stands still, the lower does not."""
    torch.manual_seed(0)
    still, moving = torch.randn(1, 3, 1, *SHAPE[1:]), torch.randn(1, 3, *SHAPE)
    upper = torch.arange(SHAPE[1])[:, None] < 6
    return torch.where(upper, still, moving)


def coarse() -> Tensor:
    """(1, 3, T, H, W): something that a finer level is to add to."""
    torch.manual_seed(1)
    return 0.5 * torch.randn(1, 3, *SHAPE)


def hint_of(level: int, x: Tensor, variance: float = 1.0) -> Hint:
    """The hint of the coarsest level (0), or of a finer one whose detail is the clip."""
    about = coarse() if level else torch.zeros_like(x)
    x = x + about
    memory = remembered(x - about, 1 - hole(), variance=variance)
    if level:
        return detail_hint(x, about, hole(), memory)
    return coarsest_hint(x, hole(), memory)


BOTH = pytest.mark.parametrize("level", [0, 1], ids=["coarsest", "finer"])


def test_a_bare_hint_remembers_and_expects_nothing() -> None:
    """Its memory is the guess, of no weight; nothing is known of the deviation from it."""
    guess = torch.randn(2, 3, 5, 6, 7)
    hint = bare(guess)
    assert hint.guess is guess
    assert torch.equal(hint.memory, guess)
    assert hint.weight.shape == (2, 1, 1, 6, 7)
    assert hint.energy.shape == (2, 1, 5, 6, 7)
    assert not hint.weight.any()
    assert not hint.energy.any()


@BOTH
def test_sizes(level: int) -> None:
    """Energy goes voxel by voxel; weight pixel by pixel."""
    hint = hint_of(level, clip())
    assert hint.guess.shape == (1, 3, *SHAPE)
    assert hint.memory.expand_as(hint.guess).shape == hint.guess.shape
    assert hint.weight.shape == (1, 1, 1, *SHAPE[1:])
    assert hint.energy.shape == (1, 1, *SHAPE)


@BOTH
@pytest.mark.parametrize("poison", [1e30, math.nan, math.inf])
def test_nothing_missing_has_a_say(level: int, poison: float) -> None:
    """Not in a bit of guess, memory, weight or energy, be it no number at all."""
    clean = hint_of(level, torch.where(hole() > 0, 0.0, clip()))
    dirty = hint_of(level, torch.where(hole() > 0, poison, clip()))
    for part in PARTS:
        assert torch.equal(getattr(clean, part), getattr(dirty, part)), part
        assert bool(torch.isfinite(getattr(clean, part)).all()), part


def test_the_coarsest_guess_is_the_smooth_one_with_memory() -> None:
    """By what stands still; and memory is the mean of what is seen, with its weight."""
    hint, memory = hint_of(0, clip()), remembered(clip(), 1 - hole(), variance=1.0)
    assert torch.equal(hint.guess, smooth_guess(clip(), hole(), memory.mean, memory.still))
    assert torch.equal(hint.memory, memory.mean)
    assert torch.equal(hint.weight, memory.weight)


def test_a_finer_level_s_guess_holds_the_detail_that_is_remembered() -> None:
    """As far as it can be trusted, and memory is all of it, on what the coarser level filled."""
    hint, memory = hint_of(1, clip()), remembered(clip(), 1 - hole(), variance=1.0)
    assert torch.allclose(hint.guess, coarse() + memory.weight * memory.mean, atol=1e-5)
    assert torch.allclose(hint.memory, coarse() + memory.mean, atol=1e-5)
    assert torch.allclose(hint.weight, memory.weight, atol=1e-5)


def test_the_detail_of_a_still_background_is_guessed_exactly() -> None:
    """Where a moving hole uncovers it; of what no frame sees the coarser fill is all there is."""
    still = clip()[:, :, :1].expand(-1, -1, SHAPE[0], -1, -1)
    hint = hint_of(1, still)
    truth, never = coarse() + still, (hole().amin(2, keepdim=True) > 0).expand_as(still)
    assert bool(never.any())
    assert torch.allclose(hint.guess[~never], truth[~never], atol=1e-5)
    assert torch.equal(hint.guess[never], coarse()[never])


@BOTH
def test_energy_is_the_squared_deviation_from_memory_where_it_is_known(level: int) -> None:
    """The mean of the channels, at each voxel that is seen of a pixel that others see too."""
    memory = remembered(clip(), 1 - hole(), variance=1.0)
    squares = (clip() - memory.mean).square().mean(1, keepdim=True)
    seen = (hole() == 0) & (memory.known > 0)
    found = hint_of(level, clip()).energy
    assert torch.allclose(found[seen], squares[seen], rtol=1e-3, atol=1e-6)


@BOTH
def test_energy_in_the_hole_comes_from_surroundings_and_other_frames(level: int) -> None:
    """Much where the texture moves, little where all around stands still."""
    x = clip()
    x[..., 6:, :] *= 2.0  # what moves, moves with a variance of 4
    energy = hint_of(level, x).energy[0, 0]
    missing = hole()[0, 0] > 0
    still, moving = missing.clone(), missing.clone()
    still[:, 5:], moving[:, :7] = False, False
    assert float(energy[moving].mean()) == pytest.approx(4.0, rel=0.3)
    assert float(energy[still].mean()) < 0.1 * 4.0


def test_a_place_that_one_frame_sees_is_not_taken_for_still() -> None:
    """Its mean is that frame, so that nothing deviates there: its energy is its neighbours'."""
    torch.manual_seed(2)
    x, missing = torch.randn(1, 3, *SHAPE), torch.zeros(1, 1, *SHAPE)
    missing[..., 1:, 4:8, 4:8] = 1.0  # seen in the first frame alone
    memory = remembered(x, 1 - missing, variance=1.0)
    energy = coarsest_hint(x, missing, memory).energy
    assert float(energy[..., 0, 4:8, 4:8].min()) > 0.2
    assert float(energy[..., 4:8, 4:8].mean()) == pytest.approx(1.0, rel=0.4)
