"""Going through an interval again: the same distribution, other noise, every step counted."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.resample import noise_back, resampled_interval
from infusion_engine.diffusion.sample import NoiseSource, Scene, sample_interval
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.settings import Sampler

SHAPE = (3, 6, 24, 24)
COUNT = math.prod(SHAPE)
MEAN, DEVIATION = 0.3, 0.5
TIMESTEPS, THEN = tuple(range(120, 50, -1)), 50
"""One by one: longer strides of the ancestral sampler lose variance."""
SOURCE = NoiseSource(seed=7, take=0)
ENDS = (-math.inf,) * 3, (math.inf,) * 3


def open_scene() -> Scene:
    """Nothing is known, and any value is possible."""
    return Scene(torch.zeros(SHAPE), torch.ones(1, *SHAPE[1:]), *ENDS, bare(torch.zeros(1, *SHAPE)))


def oracle(x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor) -> Tensor:
    """E[x_0 | x_t] for x_0 ~ N(MEAN, DEVIATION^2) at every voxel."""
    a = alpha_bar(int(t))
    gain = DEVIATION**2 * math.sqrt(a) / (DEVIATION**2 * a + 1.0 - a)
    return MEAN + gain * (x_t - math.sqrt(a) * MEAN)


def at(t: int) -> Tensor:
    """A sample as it should look at timestep t."""
    draw = torch.Generator().manual_seed(3)
    x_0 = MEAN + DEVIATION * torch.randn(SHAPE, generator=draw)
    a = alpha_bar(t)
    return math.sqrt(a) * x_0 + math.sqrt(1.0 - a) * torch.randn(SHAPE, generator=draw)


def carried(turns: int, scene: Scene) -> tuple[Tensor, Tensor, list[int]]:
    """(x at THEN, x_0, the steps that were told) after an interval of so many turns more."""
    told: list[int] = []
    x, x_0 = resampled_interval(
        oracle,
        at(TIMESTEPS[0]),
        scene,
        timesteps=TIMESTEPS,
        then=THEN,
        repeats=turns,
        sampler=Sampler.ANCESTRAL,
        source=SOURCE,
        on_step=told.append,
    )
    return x, x_0, told


def test_no_further_turn_is_the_interval_itself() -> None:
    """Bit by bit."""
    scene = open_scene()
    once = sample_interval(
        oracle,
        at(TIMESTEPS[0]),
        scene,
        timesteps=TIMESTEPS,
        then=THEN,
        sampler=Sampler.ANCESTRAL,
        source=SOURCE,
        on_step=list[int]().append,
    )
    x, x_0, _ = carried(0, scene)
    assert torch.equal(x, once[0])
    assert torch.equal(x_0, once[1])


@pytest.mark.parametrize("turns", [1, 3])
def test_the_distribution_stays_what_it_was(turns: int) -> None:
    """Mean and variance at the interval's end are those of a Gaussian's noised samples."""
    x, _, told = carried(turns, open_scene())
    a = alpha_bar(THEN)
    variance = a * DEVIATION**2 + 1.0 - a
    assert float(x.mean()) == pytest.approx(math.sqrt(a) * MEAN, abs=4 * (variance / COUNT) ** 0.5)
    assert float(x.var()) == pytest.approx(variance, rel=0.05)
    assert told == list(range(1, len(TIMESTEPS) * (turns + 1) + 1))


def test_every_turn_draws_other_noise() -> None:
    """Two turns more are no rerun of one, and each is the same when it is done again."""
    scene = open_scene()
    ends = [carried(turns, scene)[0] for turns in (0, 1, 2)]
    left = [x - math.sqrt(alpha_bar(THEN)) * MEAN for x in ends]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        alike = float((left[one] * left[other]).mean()) / float(left[one].var())
        assert alike < 0.9
    assert torch.equal(ends[2], carried(2, scene)[0])


def test_what_is_known_comes_back() -> None:
    """As from any interval."""
    x_0 = torch.linspace(-1.0, 1.0, COUNT).reshape(SHAPE)
    hole = torch.zeros(1, *SHAPE[1:])
    hole[..., 8:16, 8:16] = 1.0
    scene = Scene(x_0 * (1.0 - hole), hole, *ENDS, bare(torch.zeros(1, *SHAPE)))
    _, found, _ = carried(1, scene)
    known = (hole == 0.0).expand_as(found)
    assert torch.equal(found[known], x_0[known])


def test_noising_back_keeps_so_much_and_adds_so_much() -> None:
    """q(x_t | x_s): the signal's share, and noise for the rest of the variance."""
    scene, x_t = open_scene(), torch.full(SHAPE, 2.0)
    noise_back(x_t, scene, SOURCE, 50, 200)
    kept = alpha_bar(200) / alpha_bar(50)
    error = ((1.0 - kept) / COUNT) ** 0.5
    assert float(x_t.mean()) == pytest.approx(2.0 * math.sqrt(kept), abs=4 * error)
    assert float(x_t.var()) == pytest.approx(1.0 - kept, rel=4 * (2 / COUNT) ** 0.5)
    clean = torch.full(SHAPE, 2.0)
    noise_back(clean, scene, SOURCE, -1, 200)
    assert float(clean.mean()) == pytest.approx(2.0 * math.sqrt(alpha_bar(200)), abs=0.05)


def test_noise_goes_by_place_however_many_frames_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bit by bit."""
    whole, pieced = at(50), at(50)
    noise_back(whole, open_scene(), SOURCE, 50, 200)
    monkeypatch.setattr("infusion_engine.diffusion.shelf.AT_ONCE", 1)
    noise_back(pieced, open_scene(), SOURCE, 50, 200)
    assert torch.equal(whole, pieced)
