"""The palette: a fill has the colours that the plate has at its brightness, and no others."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.axes import along
from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.palette import HELD_BELOW, Palette, palette_of
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.sample import Scene
from infusion_engine.diffusion.schedule import T, sigma
from infusion_engine.diffusion.stillness import Stillness

SIZE = (6, 40, 50)


def fire(brightness: Tensor) -> Tensor:
    """(...) from 0 to 1 -> (3, ...): red comes first, then green, then blue, as in a flame."""
    return torch.stack([brightness**0.5, brightness, brightness**3]) * 2.0 - 1.0


def plate(*, grain: float = 0.0) -> PyramidLevel:
    """Every brightness of a fire, all known but a corner."""
    generator = torch.Generator().manual_seed(1)
    clip = fire(torch.rand(SIZE, generator=generator))
    clip += grain * torch.randn(clip.shape, generator=generator)
    hole = torch.zeros(1, *SIZE)
    hole[..., :4, :4] = 1.0
    return PyramidLevel(clip * (1.0 - hole), hole)


def palette(level: PyramidLevel, unit: float = 1.0) -> Palette:
    """The palette, which there is."""
    found = palette_of(level, unit)
    assert found is not None
    return found


def voxel(*colour: float) -> Tensor:
    """(3, 1, 1, 1)."""
    return torch.tensor(colour)[:, None, None, None]


def off_the_plate(colours: Tensor) -> Tensor:
    """(N,), how far each of (3, N) colours lies from the nearest that a fire has."""
    curve = fire(torch.linspace(0.0, 1.0, 4001))  # (3, 4001)
    return torch.cdist(colours.T, curve.T).amin(1)


def test_what_the_plate_has_stays() -> None:
    """All but the outermost two in a hundred, and those move by less than their grain."""
    level = plate(grain=0.03)
    moved = (palette(level).held(level.x_0) - level.x_0).abs().amax(0)[level.hole[0] == 0.0]
    assert float((moved > 1e-5).float().mean()) < 0.03
    assert float(moved.max()) < 0.15


def test_grey_becomes_a_colour_of_the_fire() -> None:
    """Smoke that the plate has nowhere takes the nearest colour of its brightness."""
    held = palette(plate()).held(voxel(0.0, 0.0, 0.0))
    assert float(off_the_plate(voxel(0.0, 0.0, 0.0)[:, 0, 0])) > 0.3
    assert float(off_the_plate(held[:, 0, 0])) < 0.05
    assert held[0] > held[1] > held[2]


def test_brightness_stays() -> None:
    """Only what lies across it is held."""
    found = palette(plate())
    wild = torch.randn(3, 2, 9, 9, generator=torch.Generator().manual_seed(2))
    before, after = (
        along(x - found.mean[:, None, None, None], found.axes) for x in (wild, found.held(wild))
    )
    assert torch.allclose(before[0], after[0], atol=1e-5)
    assert not torch.allclose(before[1:], after[1:], atol=0.1)


def test_what_is_held_is_not_moved_again() -> None:
    """Holding twice is holding once: a sampler holds at every step."""
    found = palette(plate(grain=0.02))
    once = found.held(torch.randn(3, 2, 9, 9, generator=torch.Generator().manual_seed(3)))
    assert torch.allclose(found.held(once), once, atol=1e-5)


def test_brighter_than_all_that_is_known_is_let_be_as_bright() -> None:
    """Its colours hold for what is brighter; each channel's range has a bound of its own."""
    found = palette(plate())
    held = found.held(voxel(5.0, 5.0, 5.0))
    assert torch.allclose(
        along(held - found.mean[:, None, None, None], found.axes)[0],
        along(voxel(5.0, 5.0, 5.0) - found.mean[:, None, None, None], found.axes)[0],
        atol=1e-4,
    )


def test_a_brightness_that_is_rare_takes_what_lies_between_its_neighbours() -> None:
    """A plate of black and white alone says of grey what lies between them."""
    level = plate(grain=0.02)
    dark = level.x_0.mean(0, keepdim=True) < 0.0
    level = replace(level, x_0=torch.where(dark, -0.8, 0.8) + 0.02 * level.x_0)
    held = palette(level).held(voxel(0.3, 0.0, -0.3))
    assert float(held.std()) < 0.06


def test_values_are_in_the_levels_unit() -> None:
    """A finer level is worked in a unit of its own."""
    found, whole = palette(plate(), unit=0.25), palette(plate())
    assert torch.allclose(
        found.held(voxel(0.4, 0.4, 0.4)), 4.0 * whole.held(voxel(0.1, 0.1, 0.1)), atol=1e-4
    )


@pytest.mark.parametrize("hidden", [1e6, -1e6])
def test_what_is_hidden_has_no_say(hidden: float) -> None:
    """No value under the matte, however wild, is a colour of the plate."""
    level = plate()
    poisoned = replace(level, x_0=torch.where(level.hole > 0.0, hidden, level.x_0))
    wild = torch.randn(3, 2, 9, 9, generator=torch.Generator().manual_seed(4))
    assert torch.equal(palette(poisoned).held(wild), palette(level).held(wild))


def test_a_large_plate_is_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly: a tenth of the voxels says nearly the same."""
    whole = palette(plate())
    monkeypatch.setattr("infusion_engine.diffusion.palette._MOST", 1200)
    part = palette(plate())
    wild = 0.5 * torch.randn(3, 2, 9, 9, generator=torch.Generator().manual_seed(5))
    assert not torch.equal(part.mean, whole.mean)
    assert float((part.held(wild) - whole.held(wild)).abs().mean()) < 0.05


def test_one_blazing_pixel_does_not_blunt_it() -> None:
    """Encoded values have no end, and the steps are for what the plate is made of."""
    level = plate()
    blazing = level.x_0.clone()
    blazing[:, 3, 20, 20] = 14.0
    wild = torch.randn(3, 2, 9, 9, generator=torch.Generator().manual_seed(8))
    found = (palette(replace(level, x_0=blazing)).held(wild), palette(level).held(wild))
    assert float((found[0] - found[1]).abs().mean()) < 0.03


def test_what_is_no_number_goes_through() -> None:
    """It is for others to say so; a colour beside it is held."""
    found = palette(plate()).held(torch.cat([voxel(math.nan, 0.0, 0.0), voxel(0.0, 0.0, 0.0)], 1))
    assert not found[:, 0].isfinite().all()
    assert float(off_the_plate(found[:, 1:][:, 0, 0])) < 0.05


def test_a_flat_plate_has_no_palette() -> None:
    """Nor has one of which next to nothing is known: the range of each channel is all there is."""
    level = plate()
    assert palette_of(replace(level, x_0=torch.full_like(level.x_0, 0.5)), 1.0) is None
    hole = torch.ones_like(level.hole)
    hole[:, 0, 0, :5] = 0.0
    assert palette_of(replace(level, hole=hole), 1.0) is None
    assert palette_of(replace(level, hole=torch.ones_like(hole)), 1.0) is None


def test_all_digits_are_kept_under_autocast() -> None:
    """Sampling runs in it, and bfloat16 would put colours a hundredth off."""
    found = palette(plate())
    wild = torch.randn(3, 2, 9, 9, generator=torch.Generator().manual_seed(6))
    plain = found.held(wild)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(found.held(wild), plain)


def test_only_where_noise_is_low_is_a_prediction_held() -> None:
    """In more noise x_0 is a mean of many fills, and may have a colour that none of them has."""
    level = plate()
    scene = Scene(
        x_0=level.x_0,
        hole=level.hole,
        lowest=(-1.0,) * 3,
        highest=(1.0,) * 3,
        hint=bare(level.x_0[None]),
        palette=palette(level),
    )
    grey = torch.zeros_like(level.x_0)
    first = next(t for t in reversed(range(T)) if sigma(t) < HELD_BELOW)
    assert torch.equal(scene.clipped(grey, first + 1), grey)
    assert float(off_the_plate(scene.clipped(grey, first)[:, 0, 0]).max()) < 0.05
    assert torch.equal(replace(scene, palette=None).clipped(grey, first), grey)


def test_what_was_seen_to_stand_still_is_let_be() -> None:
    """A still red sign may be the only red there is: other frames saw it, and know better."""
    level = plate()
    still = torch.zeros(1, 1, *SIZE[1:])
    still[..., 7] = 1.0
    zero = torch.zeros_like(still)
    scene = Scene(
        x_0=level.x_0,
        hole=level.hole,
        lowest=(-1.0,) * 3,
        highest=(1.0,) * 3,
        hint=bare(level.x_0[None]),
        palette=palette(level),
        stillness=Stillness(zero.repeat(3, 1, 1, 1), zero.repeat(3, 1, 1, 1), still, zero),
    )
    grey = torch.zeros_like(level.x_0)
    moved = (scene.clipped(grey, 0) - grey).abs().amax((0, 1, 2))  # (W,)
    assert moved[7] == 0.0
    assert float(moved[6]) > 0.1


def test_the_range_of_each_channel_has_the_last_word() -> None:
    """What is held to a palette may not leave the known range by it."""
    level = plate()
    scene = Scene(
        x_0=level.x_0,
        hole=level.hole,
        lowest=(-0.25,) * 3,
        highest=(0.25,) * 3,
        hint=bare(level.x_0[None]),
        palette=palette(level),
    )
    found = scene.clipped(torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(7)), 0)
    assert float(found.abs().max()) <= 0.25
