"""Ground: a level's clip in its own unit, what memory is kept of, and nothing from the matte."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.interval import PUBLISHED_LAST_TIMESTEP, top_timestep
from infusion_engine.diffusion.pyramid import PyramidLevel, doubled, halved
from infusion_engine.diffusion.schedule import sigma
from infusion_engine.settings import Settings
from infusion_engine.training.ground import DETAIL_SPREAD, Ground, lay_ground
from infusion_engine.training.rough import roughly_filled
from tests.decided import PRESETS

SHAPE = (6, 32, 48)
PAPER, DRAFT = PRESETS["paper"], PRESETS["draft"]
LEVELS = pytest.mark.parametrize("level", [0, 1], ids=["coarsest", "finer"])


def matte() -> Tensor:
    """(1, T, H, W): a block that moves, but for one corner of it that no frame sees."""
    hole = torch.zeros(1, *SHAPE)
    for t in range(SHAPE[0]):
        hole[:, t, 12:19, 10 + t : 30] = 1.0
    return hole


def clip(contrast: float = 1.0) -> Tensor:
    """(3, T, H, W), 0 under the matte and nowhere else."""
    generator = torch.Generator().manual_seed(0)
    return contrast * (torch.rand(3, *SHAPE, generator=generator) * 2 - 1) * (1 - matte())


def laid(x_0: Tensor, *, level: int, settings: Settings = DRAFT) -> Ground:
    """Ground as a fit has it."""
    return lay_ground(PyramidLevel(x_0=x_0, hole=matte()), level, settings)


def detail_of(ground: Ground) -> float:
    """Root mean square of the ground's detail, over all known voxels."""
    known = ground.remembering[:, ~torch.from_numpy(ground.missing)]
    return float(known.double().pow(2).mean().sqrt())


def assert_same(a: Ground, b: Ground, *, but: str = "") -> None:
    """The same bits in all fields but one, wherever they lie."""
    for f in fields(Ground):
        if f.name not in {but, "shelf"}:
            one, other = getattr(a, f.name), getattr(b, f.name)
            same = one is other or torch.equal(torch.as_tensor(one), torch.as_tensor(other))
            assert same, f.name


def test_it_is_grey_under_the_matte_as_published_and_ours_roughly_filled() -> None:
    """The published network meets what it was handed, ours what the plate suggests."""
    assert torch.equal(laid(clip(), level=0, settings=PAPER).x_0, clip())
    ours = laid(clip(), level=0)
    assert torch.equal(ours.x_0, roughly_filled(clip(), matte()))
    assert float(ours.x_0[:, ours.missing].abs().min()) > 0.0
    assert torch.equal(torch.from_numpy(ours.missing), matte()[0].bool())
    assert torch.equal(ours.hole, matte())


def test_the_coarsest_level_is_worked_in_encoded_values() -> None:
    """Without a guess of its own, and memory is kept of the clip itself."""
    ground = laid(clip(), level=0)
    assert ground.unit == 1.0
    assert ground.guess is None
    assert torch.equal(ground.remembering, ground.x_0)


def test_a_finer_level_adds_to_the_clip_without_its_detail() -> None:
    """Halved and doubled once; memory is kept of what that takes away."""
    ground = laid(clip(), level=1)
    filled = roughly_filled(clip(), matte()) / ground.unit
    assert torch.equal(ground.x_0, filled)
    assert ground.guess is not None
    assert torch.equal(ground.guess, doubled(halved(filled), SHAPE[1:]))
    assert torch.equal(ground.remembering, filled - ground.guess)


@LEVELS
def test_variance_is_what_is_remembered_varies_by(level: int) -> None:
    """Over the known voxels of the shot, the mean of the channels' own."""
    x_0 = clip() * torch.tensor([0.5, 1.0, 2.0])[:, None, None, None] + 3.0 * (1 - matte())
    ground = laid(x_0, level=level)
    known = ground.remembering[:, matte()[0] == 0].double()
    assert ground.variance == pytest.approx(float(known.var(1, unbiased=False).mean()), rel=1e-6)


@pytest.mark.parametrize("contrast", [0.01, 0.3, 1.0, 1.3, 7.0])
def test_a_finer_level_s_unit_brings_its_detail_to_one_size(contrast: float) -> None:
    """Within a fourth root of 2 either way, by a power of sqrt(2)."""
    ground = laid(clip(contrast), level=1)
    halves = 2.0 * math.log2(ground.unit)
    assert halves == pytest.approx(round(halves), abs=1e-9)
    assert abs(math.log2(detail_of(ground) / DETAIL_SPREAD)) < 0.2501


@pytest.mark.parametrize("contrast", [0.01, 0.3, 1.0, 1.3, 7.0])
def test_little_detail_is_lost_at_either_end_of_a_finer_level(contrast: float) -> None:
    """It is drowned where the level begins, and far above the last noise where it ends.

    Of a Gaussian's variance, predicted x_0 at noise sigma keeps d^2 / (d^2 + sigma^2).
    """
    detail = detail_of(laid(clip(contrast), level=1))
    assert sigma(top_timestep(DETAIL_SPREAD) - 1) > 13.0 * detail
    last = sigma(PUBLISHED_LAST_TIMESTEP)
    assert detail**2 / (detail**2 + last**2) > 0.9


@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_a_plate_of_another_contrast_gives_a_finer_level_the_same_ground(factor: float) -> None:
    """Bit for bit, but for the unit, which is another."""
    one, other = laid(clip(), level=1), laid(clip(factor), level=1)
    assert other.unit == factor * one.unit
    assert_same(one, other, but="unit")


def test_another_machine_s_last_digit_finds_the_same_unit() -> None:
    """Keys go by where a level begins, and weights by its unit."""
    for contrast in (0.1, 0.37, 1.0):
        units = {laid(clip(contrast) * (1 + e), level=1).unit for e in (-1e-6, 0.0, 1e-6)}
        assert len(units) == 1


@LEVELS
@pytest.mark.parametrize("extreme", [1e6, -1e6, math.nan])
def test_nothing_under_the_matte_has_a_say(level: int, extreme: float) -> None:
    """Not in a bit of unit or variance either."""
    poisoned = torch.where(matte() == 1.0, extreme, clip())
    assert_same(laid(poisoned, level=level), laid(clip(), level=level))


@LEVELS
def test_flat_and_unknown_clips_have_a_ground(level: int) -> None:
    """No unit is 0, and nothing that is divided by it is no number."""
    flat, everything = torch.full((3, *SHAPE), 0.4), torch.ones(1, *SHAPE)
    unknown = lay_ground(PyramidLevel(x_0=0.0 * flat, hole=everything), level, DRAFT)
    for ground in (laid(flat, level=level), unknown):
        assert ground.unit > 0.0
        assert ground.variance >= 0.0
        assert bool(torch.isfinite(ground.x_0).all())
        assert bool(torch.isfinite(ground.remembering).all())
    assert unknown.variance == 1.0
