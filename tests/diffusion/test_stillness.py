"""Stillness: what stands still comes back as it was, and what moves is let be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.sample import Scene
from infusion_engine.diffusion.schedule import T
from infusion_engine.diffusion.stillness import Stillness, stillness_of

FRAMES, HEIGHT, WIDTH = 48, 24, 40
WALL, WATER = slice(0, 16), slice(24, 40)
"""Columns of what stands still and of what moves, away from where they meet."""


def shot(*, grain: float = 0.0) -> tuple[PyramidLevel, Tensor]:
    """(level, truth): a wall on the left, noise for water on the right; a bar sinks before both."""
    draw = torch.Generator().manual_seed(2)
    truth = torch.rand(3, 1, HEIGHT, WIDTH, generator=draw).repeat(1, FRAMES, 1, 1) * 2.0 - 1.0
    truth[..., 20:] = torch.rand(3, FRAMES, HEIGHT, 20, generator=draw) * 2.0 - 1.0
    truth = truth + grain * torch.randn(truth.shape, generator=draw)
    hole = torch.zeros(1, FRAMES, HEIGHT, WIDTH)
    for frame in range(FRAMES):
        hole[:, frame, frame // 2 : frame // 2 + 6] = 1.0
    return PyramidLevel(truth * (1.0 - hole), hole), truth


def wild() -> Tensor:
    """(3, T, H, W): a prediction that knows nothing."""
    return torch.randn(3, FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(9))


def test_a_wall_comes_back_to_the_last_digit() -> None:
    """Whatever was predicted; in every frame alike."""
    level, truth = shot()
    held = stillness_of(level, 1.0, frames=24).held(wild())
    assert torch.allclose(held[..., WALL], truth[..., WALL], atol=1e-5)


def test_water_moves_as_it_was_predicted_to() -> None:
    """Most of it within a fiftieth: it is no still place, however often it was seen."""
    level, _ = shot()
    moved = (stillness_of(level, 1.0, frames=24).held(wild()) - wild()).abs()[..., WATER]
    assert float((moved < 0.02).float().mean()) > 0.95


def test_grain_about_a_wall_is_kept_and_no_more() -> None:
    """A prediction with the plate's grain stays; one that strays comes back to the grain's edge."""
    level, truth = shot(grain=0.02)
    found = stillness_of(level, 1.0, frames=24)
    assert float((found.held(truth) - truth).abs()[..., WALL].mean()) < 0.002
    stray = (found.held(wild()) - found.mean).abs()[..., WALL]
    assert 0.03 < float(stray.mean()) < 0.1


def test_values_are_in_the_levels_unit() -> None:
    """A finer level is worked in a unit of its own."""
    level, _ = shot(grain=0.02)
    whole, quarter = stillness_of(level, 1.0, frames=24), stillness_of(level, 0.25, frames=24)
    assert torch.allclose(quarter.held(4.0 * wild()), 4.0 * whole.held(wild()), atol=1e-5)


@pytest.mark.parametrize("hidden", [1e6, float("nan")])
def test_what_is_hidden_has_no_say(hidden: float) -> None:
    """No value under the matte, however wild, is remembered."""
    level, _ = shot(grain=0.02)
    poisoned = replace(level, x_0=torch.where(level.hole > 0.0, hidden, level.x_0))
    assert torch.equal(
        stillness_of(poisoned, 1.0, frames=24).held(wild()),
        stillness_of(level, 1.0, frames=24).held(wild()),
    )


def test_what_no_frame_saw_is_let_be() -> None:
    """There is nothing to hold it to."""
    level, _ = shot()
    hole = level.hole.clone()
    hole[..., 4:12, 4:12] = 1.0
    found = stillness_of(replace(level, hole=hole), 1.0, frames=24)
    assert torch.equal(found.held(wild())[..., 5:11, 5:11], wild()[..., 5:11, 5:11])


def test_a_short_look_is_not_trusted() -> None:
    """A dark place that fire left alone for eight frames is hardly held; one in 24 is wholly."""
    level, _ = shot()
    known = [8, 24]
    weights = []
    for frames in known:
        hole = torch.ones_like(level.hole)
        hole[:, :frames] = 0.0
        part = replace(level, x_0=torch.where(hole > 0.0, 0.0, wild() * 0.0 + 0.5), hole=hole)
        part.x_0[:, :frames, :, 20:] = wild()[:, :frames, :, 20:]
        weights.append(float(stillness_of(part, 1.0, frames=24).weight[..., WALL].mean()))
    assert weights[0] < 0.15
    assert weights[1] > 0.99


def test_nothing_is_held_without_frames() -> None:
    """0 turns it off."""
    found = stillness_of(shot()[0], 1.0, frames=0)
    assert torch.equal(found.held(wild()), wild())
    assert float(found.known[..., WALL].mean()) > 0.9


@pytest.mark.parametrize("frames", [1, 3, 24])
def test_what_was_hardly_seen_is_not_frozen(frames: int) -> None:
    """One look at water has no variance, and says nothing of how still it is."""
    level, _ = shot()
    hole = torch.ones_like(level.hole)
    hole[:, 5:8] = 0.0  # three frames
    found = stillness_of(replace(level, hole=hole), 1.0, frames=frames)
    assert torch.equal(found.held(wild()), wild())


def test_each_channel_keeps_its_own_grain() -> None:
    """Blue is the noisiest of most cameras, and keeps what it has."""
    level, _ = shot()
    draw = torch.Generator().manual_seed(4)
    sizes = torch.tensor([0.005, 0.01, 0.04])[:, None, None, None]
    grain = sizes * torch.randn(level.x_0.shape, generator=draw)
    truth = level.x_0 + grain * (1.0 - level.hole)
    found = stillness_of(replace(level, x_0=truth), 1.0, frames=24)
    mean = found.mean[..., WALL]
    asked = mean + (sizes * torch.randn(level.x_0.shape, generator=draw))[..., WALL]
    other = torch.cat([asked, torch.zeros(3, FRAMES, HEIGHT, WIDTH - 16)], 3)
    kept = (found.held(other)[..., WALL] - mean).square().mean((1, 2, 3))
    assert torch.allclose(kept, (asked - mean).square().mean((1, 2, 3)), rtol=0.03)


def test_a_part_is_the_same_part() -> None:
    """And holds nothing of the rest."""
    level, _ = shot(grain=0.02)
    found, place = stillness_of(level, 1.0, frames=24), (slice(3, 20), slice(5, 30))
    part: Stillness = found.within(*place)
    assert torch.equal(part.held(wild()[..., *place]), found.held(wild())[..., *place])
    assert part.mean.untyped_storage().nbytes() == part.mean.numel() * 4


@pytest.mark.parametrize("t", [0, 500, T - 1])
def test_predictions_are_held_at_every_noise(t: int) -> None:
    """The mean of many fills of a still place is that place, too."""
    level, truth = shot()
    scene = Scene(
        x_0=level.x_0,
        hole=level.hole,
        lowest=(-1.0,) * 3,
        highest=(1.0,) * 3,
        hint=bare(level.x_0[None]),
        stillness=stillness_of(level, 1.0, frames=24),
    )
    assert torch.allclose(scene.clipped(wild(), t)[..., WALL], truth[..., WALL], atol=1e-5)
