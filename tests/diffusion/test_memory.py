"""Memory: the mean of what is seen of a pixel, trusted by how often it is seen."""

from __future__ import annotations

import pytest
import torch

from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.memory import CHANNELS, remembered


def test_it_is_the_mean_over_the_frames_that_see_a_pixel() -> None:
    """Huge values in frames that do not see it change no bit."""
    torch.manual_seed(0)
    x_0 = torch.randn(3, 9, 5, 7)
    seen = (torch.rand(1, 9, 5, 7) < 0.5).float()
    found = remembered(torch.where(seen > 0, x_0, 1e30), seen)
    assert found.shape == (CHANNELS, 1, 5, 7)
    assert torch.equal(found, remembered(x_0, seen))
    for row in range(5):
        for column in range(7):
            frames = seen[0, :, row, column].bool()
            expected = x_0[:, frames, row, column].mean(1) if frames.any() else torch.zeros(3)
            assert torch.allclose(found[:3, 0, row, column], expected, atol=1e-6)


@pytest.mark.parametrize(("frames", "weight"), [(0, 0.0), (1, 1 / 9), (8, 0.5), (72, 0.9)])
def test_its_weight_rises_with_the_frames_that_see_a_pixel(frames: int, weight: float) -> None:
    """Eight frames count as much as interpolation does; where none sees it there is no colour."""
    seen = torch.zeros(2, 1, 72, 4, 4)
    seen[:, :, :frames] = 1.0
    found = remembered(torch.full((2, 3, 72, 4, 4), 0.7), seen)
    assert found.shape == (2, CHANNELS, 1, 4, 4)
    assert torch.allclose(found[:, 3], torch.tensor(weight))
    assert torch.allclose(found[:, :3], torch.tensor(0.7 if frames else 0.0))


def test_each_clip_of_a_batch_has_its_own_memory() -> None:
    """Any number of dimensions before the channels: each clip as if it were alone."""
    torch.manual_seed(1)
    x_0, seen = torch.randn(2, 4, 3, 9, 5, 7), (torch.rand(2, 4, 1, 9, 5, 7) < 0.5).float()
    found = remembered(x_0, seen)
    assert found.shape == (2, 4, CHANNELS, 1, 5, 7)
    for i in range(2):
        for j in range(4):
            alone = remembered(x_0[i, j], seen[i, j])
            assert torch.allclose(found[i, j], alone, atol=1e-6)


def test_a_bare_hint_remembers_nothing() -> None:
    """Its memory has the guess's size, no colour and no weight."""
    guess = torch.randn(2, 3, 5, 6, 7)
    hint = bare(guess)
    assert hint.guess is guess
    assert hint.memory.shape == (2, CHANNELS, 1, 6, 7)
    assert not hint.memory.any()
