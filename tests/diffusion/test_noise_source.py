"""The noise of one sample: by seed, take, level and turn, and by place."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from infusion_engine.diffusion.sample import NoiseSource

SHAPE = (3, 6, 24, 24)
COUNT = math.prod(SHAPE)
SOURCE = NoiseSource(seed=7, take=0)


@pytest.mark.parametrize("change", [{"seed": 8}, {"take": 1}, {"level": 1}, {"turn": 1}])
def test_seed_take_level_and_turn_choose_the_noise(change: dict[str, int]) -> None:
    """The same source twice gives the same field, another one an unrelated one."""
    like = torch.zeros(SHAPE)
    another = replace(SOURCE, **change)
    first, again, other = (source.at(10, like) for source in (SOURCE, SOURCE, another))
    assert torch.equal(first, again)
    assert abs(float((first * other).mean())) < 4 / COUNT**0.5


@pytest.mark.parametrize("corner", [(0, 0), (3, 0), (0, 5), (7, 9)])
def test_noise_goes_by_place_not_by_what_is_looked_at(corner: tuple[int, int]) -> None:
    """A box of the clip has the bits that the whole clip has there."""
    top, left = corner
    whole = SOURCE.at(10, torch.zeros(SHAPE))
    box = SOURCE.at(10, torch.zeros(3, 6, 11, 13), corner)
    assert torch.equal(box, whole[:, :, top : top + 11, left : left + 13])
