"""Settling: a layout that the plate has nowhere is mended by patches of the plate."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.patches import Patches, Volume
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.settle import settled
from infusion_engine.errors import Cancelled


def stripes(frames: int = 6, height: int = 40, width: int = 48) -> Tensor:
    """(3, T, H, W): slanting waves that move to the right, of another size in each channel."""
    t, y, x = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float32) for n in (frames, height, width)), indexing="ij"
    )
    wave = torch.sin(2.0 * math.pi * (x + 0.5 * y - t) / 12.0)
    return torch.stack([wave, 0.5 * wave, 0.3 - 0.2 * wave])


def hole_of(clip: Tensor) -> Tensor:
    """(1, T, H, W): a box that holds still."""
    hole = torch.zeros_like(clip[:1])
    hole[:, :, 14:26, 18:30] = 1.0
    return hole


def plate_of(clip: Tensor, hole: Tensor) -> Patches:
    """The plate's patches, with what is under the matte blazing."""
    found = Patches.of(PyramidLevel(torch.where(hole > 0.0, 1e4, clip), hole), 1.0)
    assert found is not None
    return found


def ignore() -> None:
    """Nobody asks to stop."""


def uncounted(done: int) -> None:
    """Nobody watches."""


def error(fill: Tensor, truth: Tensor, hole: Tensor) -> float:
    """Rms in the hole."""
    return float((fill - truth)[(hole > 0.0).expand_as(truth)].square().mean().sqrt())


def with_spot(clip: Tensor) -> Tensor:
    """The clip with a black blot in the hole, which nothing in the plate resembles."""
    fill = clip.clone()
    fill[:, :, 15:25, 19:29] = -3.0
    return fill


def test_a_spot_that_the_plate_has_nowhere_is_mended() -> None:
    """Most of how dark it is goes, and known voxels keep their bits."""
    truth = stripes()
    hole = hole_of(truth)
    found = settled(
        with_spot(truth), hole, plate_of(truth, hole), rounds=3, check=ignore, on_round=uncounted
    )
    inner = (..., slice(17, 23), slice(21, 27))
    before, after = ((fill - truth)[inner].mean() for fill in (with_spot(truth), found))
    assert abs(float(after)) < 0.5 * abs(float(before))
    known = (hole == 0.0).expand_as(truth)
    assert torch.equal(found[known], truth[known])


def test_more_rounds_mend_more() -> None:
    """What the first round mended helps the next one to find what is right."""
    truth = stripes()
    hole = hole_of(truth)
    errors = [
        error(
            settled(
                with_spot(truth),
                hole,
                plate_of(truth, hole),
                rounds=n,
                check=ignore,
                on_round=uncounted,
            ),
            truth,
            hole,
        )
        for n in (1, 3)
    ]
    assert errors[1] < errors[0]


def test_what_the_plate_has_stays() -> None:
    """A fill that is right already is hardly touched."""
    truth = stripes()
    hole = hole_of(truth)
    found = settled(truth, hole, plate_of(truth, hole), rounds=3, check=ignore, on_round=uncounted)
    assert error(found, truth, hole) < 0.05


def test_nothing_under_the_matte_is_looked_at() -> None:
    """Two plates that differ under the matte alone settle a fill alike, bit for bit."""
    truth = stripes()
    hole = hole_of(truth)
    one = plate_of(truth, hole)
    other = Patches.of(PyramidLevel(torch.where(hole > 0.0, -7.0, truth), hole), 1.0)
    fills = [
        settled(with_spot(truth), hole, patches, rounds=2, check=ignore, on_round=uncounted)
        for patches in (one, other)
    ]
    assert torch.equal(*fills)


def test_a_level_is_worked_in_its_own_unit() -> None:
    """Plate and fill of half the size are settled to half of it."""
    truth = stripes()
    hole = hole_of(truth)
    level = PyramidLevel(truth * (1.0 - hole), hole)
    whole, halved = Patches.of(level, 1.0), Patches.of(level, 2.0)
    full = settled(with_spot(truth), hole, whole, rounds=1, check=ignore, on_round=uncounted)
    half = settled(with_spot(truth) / 2.0, hole, halved, rounds=1, check=ignore, on_round=uncounted)
    assert torch.allclose(full / 2.0, half, atol=1e-4)


def test_a_mirrored_patch_is_found() -> None:
    """What the plate has only the other way round is as good."""
    truth = stripes(width=96)
    truth[..., 48:] = truth[..., :48].flip(-1)
    level = PyramidLevel(truth, torch.zeros_like(truth[:1]))
    level.hole[..., 48:] = 1.0  # all that leans to the other side is unknown
    patches = plate_of(level.x_0, level.hole)
    middles = torch.tensor([[2, 20, 70], [3, 18, 75]])
    found = patches.nearest(Volume.of(truth), middles, None, ignore)
    assert found.mirrored.all()
    assert float(found.distance.max()) < 1e-3


def test_a_plate_with_too_few_patches_says_nothing() -> None:
    """The fill stays as it was predicted."""
    clip = stripes(height=8, width=8)
    hole = torch.zeros_like(clip[:1])
    hole[..., 3:5, 3:5] = 1.0
    assert Patches.of(PyramidLevel(clip, hole), 1.0) is None
    assert settled(clip, hole, None, rounds=3, check=ignore, on_round=uncounted) is clip


def test_one_frame_and_no_hole_are_no_errors() -> None:
    """A still is settled by patches of itself; without a hole there is nothing to do."""
    truth = stripes(frames=1)
    hole = hole_of(truth)
    found = settled(
        with_spot(truth), hole, plate_of(truth, hole), rounds=2, check=ignore, on_round=uncounted
    )
    assert error(found, truth, hole) < error(with_spot(truth), truth, hole)
    nothing = torch.zeros_like(hole)
    assert (
        settled(truth, nothing, plate_of(truth, hole), rounds=2, check=ignore, on_round=uncounted)
        is truth
    )


def test_it_stops_when_asked() -> None:
    """Within a part of a round, not after all of them."""
    truth = stripes()
    hole = hole_of(truth)

    def stop() -> None:
        raise Cancelled("asked to stop")

    with pytest.raises(Cancelled):
        settled(truth, hole, plate_of(truth, hole), rounds=3, check=stop, on_round=uncounted)
