"""A clip's ends: where noise is faint, a training window shows what a long shot's middle is."""

from __future__ import annotations

import pytest
import torch

from infusion_engine.diffusion.hint import bare
from tests.diffusion.test_residual import SHAPE, cut_hole, fitted


def apart(frames: int, t: int) -> float:
    """How far a frame of something still is from a lone one at timestep t, at most."""
    generator = torch.Generator().manual_seed(4)
    x_t, clip, about = torch.randn(3, 1, 3, 1, *SHAPE[2:], generator=generator)
    hole = cut_hole()[:, :, :1]
    given, model, at = (x_t, clip * (1 - hole), hole), fitted(), torch.tensor([t])
    long = [x.expand(-1, -1, frames, -1, -1) for x in (*given, about)]
    with torch.no_grad():
        one, many = model(*given, bare(about), at), model(*long[:3], bare(long[3]), at)
    return float((many - one).abs().max())


@pytest.mark.parametrize("frames", [1, 8, 24])
def test_what_stands_still_is_filled_alike_at_a_shot_s_ends_and_in_its_middle(frames: int) -> None:
    """No contrast grows there that the network has never seen."""
    assert apart(frames, 1) < 1e-3


@pytest.mark.parametrize("frames", [8, 24])
def test_what_is_noise_does_not_go_on_beyond_the_ends(frames: int) -> None:
    """A frame that is seen twice would be believed twice."""
    assert apart(frames, 900) > 1e-2
