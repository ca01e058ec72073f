"""Tiles: together they are the whole, however small, and compute little beside the hole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import Model, build
from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.tiles import Tiled, tiles
from infusion_engine.settings import Network

SHAPE = (40, 132, 150)  # frames, rows, columns


def moving_hole() -> Tensor:
    """(1, T, H, W): a square of 20 pixels that crosses the clip, and a frame without one."""
    hole = torch.zeros(1, *SHAPE)
    for t in range(SHAPE[0]):
        hole[0, t, 40 + t : 60 + t, 10 + 3 * t : 30 + 3 * t] = float(t != 7)
    return hole


def model(network: Network) -> Model:
    """Small, with weights that let everything through that can be seen."""
    found = build(network, channels=4)
    generator = torch.Generator().manual_seed(0)
    for parameter in found.parameters():
        parameter.data = torch.rand(parameter.shape, generator=generator) + 0.01
    return found.eval()


@pytest.mark.parametrize("network", list(Network))
def test_a_denoiser_s_reach_is_as_far_as_it_sees(network: Network) -> None:
    """Nothing further away has any influence, and what is just within has."""
    found = model(network)
    reach = found.reach
    side, frames = 2 * reach.pixels + 16, 2 * reach.frames + 5
    hole = torch.ones(1, 1, frames, side, side)
    farthest = [0, 0, 0]
    middle, at = frames // 2, side // 2
    for offset in (0, reach.grid // 2 - 1, reach.grid - 1):
        x = torch.rand(1, 3, frames, side, side, requires_grad=True)
        guess = bare(torch.zeros_like(x))
        out = found(x, torch.zeros_like(x), hole, guess, torch.tensor([500]))
        here = (middle, at + offset, at + offset)
        (gradient,) = torch.autograd.grad(out[0][:, *here].sum(), x)
        felt = (gradient[0].abs().sum(0) > 0).nonzero() - torch.tensor(here)
        farthest = torch.maximum(torch.tensor(farthest), felt.abs().amax(0)).tolist()
    assert farthest[0] == reach.frames
    assert reach.pixels - reach.grid < max(farthest[1:]) <= reach.pixels
    assert reach.pixels % reach.grid == 0


@pytest.mark.parametrize("network", list(Network))
@pytest.mark.parametrize("share", [1.0, 0.3, 0.05])
def test_tiles_give_what_the_whole_gives(network: Network, share: float) -> None:
    """In every missing voxel, to rounding, for any size of tile and every shape in a hint."""
    found, hole = model(network), moving_hole()
    torch.manual_seed(1)
    clip, x_t = torch.randn(1, 3, *SHAPE) * (1 - hole), torch.randn(1, 3, *SHAPE)
    hint = Hint(
        guess=torch.randn(1, 3, *SHAPE),
        memory=torch.randn(1, 3, 1, *SHAPE[1:]),
        weight=torch.rand(1, 1, 1, *SHAPE[1:]),
        energy=torch.rand(1, 1, *SHAPE),
    )
    pieces = tiles(hole, most_voxels=int(share * hole.numel()), reach=found.reach)
    with torch.no_grad():
        arguments = (x_t, clip, hole[None], hint, torch.tensor([300]))
        whole, tiled = found(*arguments), Tiled(found, pieces)(*arguments)
    missing = hole.bool().expand(3, *SHAPE)
    size = float(whole[0][missing].std())
    assert torch.allclose(tiled[0][missing], whole[0][missing], atol=1e-4 * size, rtol=1e-4)
    assert len(pieces) > 1 or share == 1.0


def test_a_halo_that_is_too_small_is_found_out() -> None:
    """The test above would fail, if a tile saw a little less than the network does."""
    found, hole = model(Network.RESIDUAL), moving_hole()
    reach = replace(found.reach, pixels=24, frames=6)
    torch.manual_seed(1)
    x_t = torch.randn(1, 3, *SHAPE)
    arguments = (x_t, x_t * 0, hole[None], bare(x_t * 0), torch.tensor([300]))
    with torch.no_grad():
        whole = found(*arguments)
        tiled = Tiled(found, tiles(hole, most_voxels=60_000, reach=reach))(*arguments)
    missing = hole.bool().expand(3, *SHAPE)
    assert not torch.allclose(tiled[0][missing], whole[0][missing], rtol=1e-3)


@pytest.mark.parametrize("most", [10**9, 500_000, 400_000])
def test_tiles_hold_every_missing_voxel_once_and_are_no_larger_than_asked(most: int) -> None:
    """They begin where the network's halvings do, and lie within the clip."""
    hole, reach = moving_hole(), model(Network.RESIDUAL).reach
    found = tiles(hole, most_voxels=most, reach=reach)
    held = torch.zeros_like(hole)
    for tile in found:
        kept, seen = tile.kept, tile.seen
        assert seen.voxels <= most
        held[0, kept.frames, kept.rows, kept.columns] += 1.0
        assert (seen.rows.start % reach.grid, seen.columns.start % reach.grid) == (0, 0)
        for part, whole, size in zip(
            (kept.frames, kept.rows, kept.columns),
            (seen.frames, seen.rows, seen.columns),
            SHAPE,
            strict=True,
        ):
            assert 0 <= whole.start <= part.start < part.stop <= whole.stop <= size
    assert bool((held[hole > 0] == 1.0).all())
    assert float(held.max()) == 1.0


def test_a_matte_that_moves_is_followed() -> None:
    """Far fewer voxels are looked at than the box around all of its way has."""
    hole, reach = torch.zeros(1, 120, 160, 800), model(Network.RESIDUAL).reach
    for t in range(120):
        hole[0, t, 60:100, 6 * t : 6 * t + 40] = 1.0
    found = tiles(hole, most_voxels=10**9, reach=reach)
    assert sum(tile.seen.voxels for tile in found) < 0.5 * hole.numel()
    assert len(found) > 1


def test_where_nothing_is_small_enough_the_smallest_is_taken() -> None:
    """What keeps less than its halo would cost far more; whoever asked is told by the size."""
    reach = model(Network.RESIDUAL).reach
    small, large = (tiles(moving_hole(), most_voxels=n, reach=reach) for n in (10, 10**9))
    assert max(tile.seen.voxels for tile in small) < max(tile.seen.voxels for tile in large)
    assert sum(tile.seen.voxels for tile in small) < 27 * sum(t.kept.voxels for t in small)


def test_without_a_hole_there_is_nothing_to_do() -> None:
    """No tile."""
    assert tiles(torch.zeros(1, 3, 8, 8), most_voxels=9, reach=model(Network.RESIDUAL).reach) == ()
