"""The sampler against denoisers that are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import Denoiser
from infusion_engine.diffusion.interval import Interval, intervals, sampling_timesteps
from infusion_engine.diffusion.sample import NoiseSource, Scene, sample_interval
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.settings import Sampler, Spacing

SHAPE = (3, 6, 24, 24)
COUNT = math.prod(SHAPE)
MEAN, DEVIATION = 0.3, 0.5
SOURCE = NoiseSource(seed=7, take=0)
SPANS = intervals(20, Spacing.TIMESTEP)


def ignore(step: int) -> None:
    """Nobody watches."""


def gaussian_oracle(x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
    """E[x_0 | x_t] for x_0 ~ N(MEAN, DEVIATION^2) at every voxel."""
    a = alpha_bar(int(t))
    gain = DEVIATION**2 * math.sqrt(a) / (DEVIATION**2 * a + 1 - a)
    return MEAN + gain * (x_t - math.sqrt(a) * MEAN)


def truth_oracle(truth: Tensor) -> Denoiser:
    """Knows the answer."""

    def oracle(x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
        return truth[None]

    return oracle


def open_scene(shape: tuple[int, ...] = SHAPE) -> Scene:
    """Nothing is known and any value is possible."""
    return Scene(torch.zeros(shape), torch.ones(1, *shape[1:]), -math.inf, math.inf)


def half_known() -> tuple[Tensor, Scene]:
    """(truth, scene): the left half is known, in [-1, 1] and with its range's ends among it."""
    torch.manual_seed(3)
    truth = torch.rand(3, 2, 8, 8) * 2 - 1
    truth[0, 0, 0, 0], truth[0, 0, 0, 1] = -1.0, 1.0
    hole = torch.zeros(1, 2, 8, 8)
    hole[..., 4:] = 1.0
    return truth, Scene(truth * (1 - hole), hole, -1.0, 1.0)


def chain(
    denoiser: Denoiser, scene: Scene, spans: tuple[Interval, ...], steps: int, sampler: Sampler
) -> Tensor:
    """From pure noise through all intervals to predicted x_0, as a run does it."""
    x = result = SOURCE.at(spans[0].high - 1, scene.x_0)
    for span, following in zip(spans, (*spans[1:], None), strict=True):
        x, result = sample_interval(
            denoiser,
            x,
            scene,
            timesteps=sampling_timesteps(span, steps),
            then=-1 if following is None else following.high - 1,
            sampler=sampler,
            source=SOURCE,
            on_step=ignore,
        )
    return result


def moments_by_hand(walk: list[int], sampler: Sampler) -> tuple[float, float]:
    """(mean, variance) of the chain's result, as the affine map of its noises that it is."""
    mean, variance = 0.0, 1.0
    for t, s in pairwise([*walk, -1]):
        a_t = alpha_bar(t)
        gain = DEVIATION**2 * math.sqrt(a_t) / (DEVIATION**2 * a_t + 1 - a_t)
        rest = MEAN - gain * math.sqrt(a_t) * MEAN  # predicted x_0 = gain x_t + rest
        if s < 0:
            return gain * mean + rest, gain**2 * variance
        a_s = alpha_bar(s)
        ratio = a_t / a_s
        if sampler is Sampler.ANCESTRAL:
            added = 1 / (1 / (1 - a_s) + ratio / (1 - ratio))
            of_x_0, of_x_t = (
                added * math.sqrt(a_s) / (1 - a_s),
                added * math.sqrt(ratio) / (1 - ratio),
            )
        else:
            added, of_x_t = 0.0, math.sqrt((1 - a_s) / (1 - a_t))
            of_x_0 = math.sqrt(a_s) - math.sqrt(a_t) * of_x_t
        slope = of_x_0 * gain + of_x_t
        mean, variance = slope * mean + of_x_0 * rest, slope**2 * variance + added
    raise AssertionError("the walk has no end")


@pytest.mark.parametrize(
    ("count", "steps", "spacing", "sampler", "bias"),
    [
        (20, 50, Spacing.TIMESTEP, Sampler.ANCESTRAL, 0.02),
        (5, 20, Spacing.LOG_SNR, Sampler.ANCESTRAL, 0.08),
        (5, 10, Spacing.LOG_SNR, Sampler.ANCESTRAL, 0.14),
        (5, 20, Spacing.LOG_SNR, Sampler.DETERMINISTIC, 0.04),
    ],
    ids=["published", "standard", "draft", "ddim"],
)
def test_a_known_gaussian_is_reproduced(
    count: int, steps: int, spacing: Spacing, sampler: Sampler, bias: float
) -> None:
    """With the exact E[x_0 | x_t], samples have the mean and variance of x_0.

    Exactly those of the discrete chain within Monte Carlo error, which in turn are the Gaussian's
    own but for what the finite number of steps costs (`bias`, of the variance).
    """
    spans = intervals(count, spacing)
    walk = [t for span in spans for t in sampling_timesteps(span, steps)]
    mean, variance = moments_by_hand(walk, sampler)
    assert mean == pytest.approx(MEAN, abs=0.01)
    assert variance == pytest.approx(DEVIATION**2, rel=bias)
    values = chain(gaussian_oracle, open_scene(), spans, steps, sampler).double()
    assert float(values.mean()) == pytest.approx(mean, abs=4 * DEVIATION / COUNT**0.5)
    assert float(values.var()) == pytest.approx(variance, rel=4 * (2 / COUNT) ** 0.5)
    kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
    assert float(kurtosis) == pytest.approx(3.0, abs=4 * (24 / COUNT) ** 0.5)


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize(
    "span", [Interval(0, 950, 1000), Interval(9, 500, 550), Interval(19, 0, 50)]
)
def test_an_oracle_recovers_the_truth(span: Interval, sampler: Sampler) -> None:
    """One whole interval under a denoiser that knows the answer ends in the answer, bit for bit."""
    truth, scene = half_known()
    timesteps = sampling_timesteps(span, 50)
    x_t = SOURCE.at(timesteps[0], truth)
    _, x_0 = sample_interval(
        truth_oracle(truth),
        x_t,
        scene,
        timesteps=timesteps,
        then=span.low - 1,
        sampler=sampler,
        source=SOURCE,
        on_step=ignore,
    )
    assert torch.equal(x_0, truth)


def test_an_oracle_s_interval_ends_at_its_own_noise_level() -> None:
    """From q(x_t | x_0) an interval arrives at q(x_s | x_0), s being the next one's first."""
    truth = torch.full(SHAPE, 0.8)
    a_t, a_s = alpha_bar(549), alpha_bar(499)
    x_t = math.sqrt(a_t) * truth + math.sqrt(1 - a_t) * SOURCE.at(549, truth)
    x_s, _ = sample_interval(
        truth_oracle(truth),
        x_t,
        open_scene(),
        timesteps=tuple(range(549, 499, -1)),
        then=499,
        sampler=Sampler.ANCESTRAL,
        source=SOURCE,
        on_step=ignore,
    )
    rest = (x_s - math.sqrt(a_s) * truth).double()
    assert float(rest.mean()) == pytest.approx(0.0, abs=4 * ((1 - a_s) / COUNT) ** 0.5)
    assert float(rest.var()) == pytest.approx(1 - a_s, rel=4 * (2 / COUNT) ** 0.5)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_known_voxels_come_out_bit_identical(sampler: Sampler) -> None:
    """Whatever the denoiser says of them, NaN included."""
    _, scene = half_known()
    known = ~scene.hole.bool().expand_as(scene.x_0)

    def wrong(x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
        return torch.where(hole > 0, x_t, torch.nan)

    result = chain(wrong, scene, intervals(2, Spacing.LOG_SNR), 3, sampler)
    assert torch.equal(result[known], scene.x_0[known])
    assert torch.isfinite(result).all()


@pytest.mark.parametrize(("lowest", "highest"), [(-1.0, 1.0), (-0.2, 3.5)])
def test_prediction_is_clipped_at_the_known_range(lowest: float, highest: float) -> None:
    """At the encoded values that are known, not at 1: HDR lives."""
    _, scene = half_known()
    scene = Scene(scene.x_0, scene.hole, lowest, highest)
    inside = scene.hole.bool().expand_as(scene.x_0)
    for says, becomes in ((100.0, highest), (-100.0, lowest), (0.5, 0.5), (0.99, 0.99)):
        oracle = truth_oracle(torch.full_like(scene.x_0, says))
        result = chain(oracle, scene, intervals(2, Spacing.LOG_SNR), 2, Sampler.ANCESTRAL)
        assert torch.equal(result[inside], torch.full_like(result[inside], becomes))


def test_the_denoiser_is_asked_as_it_was_trained() -> None:
    """It sees the plate as conditioning, the hole, a batch of one and the timesteps in turn."""
    truth, scene = half_known()
    asked: list[int] = []

    def watching(x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
        assert torch.equal(conditioning, scene.x_0[None])
        assert torch.equal(hole, scene.hole[None])
        assert x_t.shape == (1, *truth.shape)
        asked.append(int(t))
        return truth[None]

    told: list[int] = []
    sample_interval(
        watching,
        truth,
        scene,
        timesteps=(9, 5, 2),
        then=1,
        sampler=Sampler.ANCESTRAL,
        source=SOURCE,
        on_step=told.append,
    )
    assert asked == [9, 5, 2]
    assert told == [1, 2, 3]


def test_where_a_chain_is_cut_changes_nothing() -> None:
    """The same timesteps in one interval or in four: noise belongs to timesteps, not to calls."""
    scene = open_scene((3, 2, 8, 8))
    whole = chain(gaussian_oracle, scene, intervals(1, Spacing.TIMESTEP), 1000, Sampler.ANCESTRAL)
    cut = chain(gaussian_oracle, scene, intervals(4, Spacing.TIMESTEP), 250, Sampler.ANCESTRAL)
    assert torch.equal(whole, cut)


@pytest.mark.parametrize(
    "another",
    [
        NoiseSource(seed=8, take=0),
        NoiseSource(seed=7, take=1),
        NoiseSource(seed=7, take=0, level=1),
    ],
)
def test_seed_take_and_level_choose_the_noise(another: NoiseSource) -> None:
    """The same source twice gives the same field, another one an unrelated one."""
    like = torch.zeros(SHAPE)
    first, again, other = SOURCE.at(10, like), SOURCE.at(10, like), another.at(10, like)
    assert torch.equal(first, again)
    assert abs(float((first * other).mean())) < 4 / COUNT**0.5


@pytest.mark.parametrize(
    ("sampler", "noisy"), [(Sampler.ANCESTRAL, True), (Sampler.DETERMINISTIC, False)]
)
def test_only_ancestral_sampling_adds_noise(sampler: Sampler, noisy: bool) -> None:
    """Two sources, one start: DDIM ends in the same sample, DDPM in two."""
    x_t = SOURCE.at(999, torch.zeros(SHAPE))
    run: Callable[[NoiseSource], Tensor] = lambda source: sample_interval(  # noqa: E731
        gaussian_oracle,
        x_t,
        open_scene(),
        timesteps=(999, 700, 400),
        then=100,
        sampler=sampler,
        source=source,
        on_step=ignore,
    )[0]
    assert torch.equal(run(SOURCE), run(NoiseSource(seed=8, take=0))) is not noisy


@pytest.mark.parametrize("corner", [(0, 0), (3, 0), (0, 5), (7, 9)])
def test_noise_goes_by_place_not_by_what_is_looked_at(corner: tuple[int, int]) -> None:
    """A box of the clip has the bits that the whole clip has there."""
    top, left = corner
    whole = SOURCE.at(10, torch.zeros(SHAPE))
    box = SOURCE.at(10, torch.zeros(3, 6, 11, 13), corner)
    assert torch.equal(box, whole[:, :, top : top + 11, left : left + 13])


@pytest.mark.parametrize("sampler", list(Sampler))
def test_sampling_a_box_equals_sampling_the_whole_there(sampler: Sampler) -> None:
    """With a denoiser that looks at nothing but the voxel itself: the same bits."""
    torch.manual_seed(4)
    truth = torch.rand(3, 2, 20, 24)
    hole = (torch.rand(1, 2, 20, 24) < 0.5).float()
    rows, columns = slice(5, 14), slice(7, 19)

    def sampled(scene: Scene) -> tuple[Tensor, Tensor]:
        return sample_interval(
            gaussian_oracle,
            SOURCE.at(700, scene.x_0, scene.corner),
            scene,
            timesteps=(700, 400, 100),
            then=50,
            sampler=sampler,
            source=SOURCE,
            on_step=ignore,
        )

    whole = sampled(Scene(truth * (1 - hole), hole, -1.0, 1.0))
    box = sampled(
        Scene(
            (truth * (1 - hole))[..., rows, columns],
            hole[..., rows, columns],
            -1.0,
            1.0,
            corner=(rows.start, columns.start),
        )
    )
    for of_box, of_whole in zip(box, whole, strict=True):
        assert torch.equal(of_box, of_whole[..., rows, columns])
