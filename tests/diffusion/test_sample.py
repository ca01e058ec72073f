"""The sampler against denoisers that are known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion import shelf
from infusion_engine.diffusion.denoise import Denoiser
from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.interval import (
    Interval,
    intervals,
    sampling_timesteps,
    top_timestep,
)
from infusion_engine.diffusion.sample import NoiseSource, Scene, noised, sample_interval
from infusion_engine.diffusion.schedule import T, alpha_bar, log_snr, posterior, sigma
from infusion_engine.settings import Sampler, Spacing

SHAPE = (3, 6, 24, 24)
COUNT = math.prod(SHAPE)
MEAN, DEVIATION = 0.3, 0.5
SOURCE = NoiseSource(seed=7, take=0)
SPANS = intervals(20, Spacing.TIMESTEP)

Colour = tuple[float, ...]
UNIT_RANGE: tuple[Colour, Colour] = ((-1.0,) * 3, (1.0,) * 3)
"""Ends of the known range, channel by channel."""


def ignore(step: int) -> None:
    """Nobody watches."""


def gain(t: int, deviation: float) -> float:
    """How much of x_t - E[x_t] is in E[x_0 | x_t], for a Gaussian x_0."""
    a = alpha_bar(t)
    return deviation**2 * math.sqrt(a) / (deviation**2 * a + 1 - a)


def gaussian(deviation: float) -> Denoiser:
    """E[x_0 | x_t] for x_0 ~ N(guess, deviation^2) at every voxel."""

    def oracle(x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor) -> Tensor:
        missing = x_t - math.sqrt(alpha_bar(int(t))) * hint.guess
        return hint.guess + gain(int(t), deviation) * missing

    return oracle


gaussian_oracle = gaussian(DEVIATION)


def truth_oracle(truth: Tensor) -> Denoiser:
    """Knows the answer."""

    def oracle(x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor) -> Tensor:
        return truth[None].clone()  # a sampler may write into what it is given

    return oracle


def open_scene(shape: tuple[int, ...] = SHAPE, guess: float = MEAN) -> Scene:
    """Nothing is known and any value is possible; the guess is the mean."""
    hint = bare(torch.full((1, *shape), guess))
    ends = (-math.inf,) * 3, (math.inf,) * 3
    return Scene(torch.zeros(shape), torch.ones(1, *shape[1:]), *ends, hint)


def half_known() -> tuple[Tensor, Scene]:
    """(truth, scene): the left half is known, in [-1, 1] and with its range's ends among it."""
    torch.manual_seed(3)
    truth = torch.rand(3, 2, 8, 8) * 2 - 1
    truth[0, 0, 0, 0], truth[0, 0, 0, 1] = -1.0, 1.0
    hole = torch.zeros(1, 2, 8, 8)
    hole[..., 4:] = 1.0
    guess = bare(torch.zeros(1, *truth.shape))
    return truth, Scene(truth * (1 - hole), hole, *UNIT_RANGE, guess)


def chain(
    denoiser: Denoiser, scene: Scene, spans: tuple[Interval, ...], steps: int, sampler: Sampler
) -> Tensor:
    """From the noised guess through all intervals to predicted x_0, as a run does it."""
    x = result = noised(scene, SOURCE, spans[0].high - 1, scene.hint.guess[0])
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


def walked(timesteps: tuple[int, ...], sampler: Sampler, source: NoiseSource) -> Tensor:
    """The Gaussian's sample at t = 100, from the same start whatever the source."""
    x_t = noised(open_scene(), SOURCE, timesteps[0], open_scene().hint.guess[0])
    return sample_interval(
        gaussian_oracle,
        x_t,
        open_scene(),
        timesteps=timesteps,
        then=100,
        sampler=sampler,
        source=source,
        on_step=ignore,
    )[0]


def variance_by_hand(
    spans: tuple[Interval, ...], steps: int, sampler: Sampler, deviation: float = DEVIATION
) -> float:
    """Variance of the chain's result, as the sum of independent noises that it is.

    Steps are written as in Lu et al. (arXiv 2211.01095), in lambda = log(alpha / sigma), which is
    half of log-SNR. `x` and `x_0` hold how much of each noise there is in what differs from the
    mean.
    """
    walks = [sampling_timesteps(span, steps) for span in spans]
    x = np.zeros(1 + sum(len(walk) for walk in walks))
    x[0] = math.sqrt(1 - alpha_bar(walks[0][0]))  # the start lacks what x_0 itself would add
    drawn = 0
    for walk, following in zip(walks, [*walks[1:], (-1,)], strict=True):
        before: tuple[float, np.ndarray] | None = None
        for t, s in zip(walk, (*walk[1:], following[0]), strict=True):
            x_0 = gain(t, deviation) * x
            if s < 0:
                return float((x_0**2).sum())
            drawn += 1
            a_t, a_s, h = alpha_bar(t), alpha_bar(s), (log_snr(s) - log_snr(t)) / 2
            if sampler is Sampler.DETERMINISTIC:
                eps = (x - math.sqrt(a_t) * x_0) / math.sqrt(1 - a_t)
                x = math.sqrt(a_s) * x_0 + math.sqrt(1 - a_s) * eps
                continue
            ahead = x_0
            if sampler is Sampler.MULTISTEP and before is not None:
                ahead = x_0 + h / before[0] / 2 * (x_0 - before[1])
            fresh = 1 - math.exp(-2 * h)
            x = math.sqrt((1 - a_s) / (1 - a_t)) * math.exp(-h) * x + math.sqrt(a_s) * fresh * ahead
            x[drawn] = math.sqrt((1 - a_s) * fresh)
            before = (h, x_0)
    raise AssertionError("the walk has no end")


@pytest.mark.parametrize(
    ("count", "steps", "spacing", "sampler", "bias"),
    [
        (20, 50, Spacing.TIMESTEP, Sampler.ANCESTRAL, 0.02),
        (5, 20, Spacing.LOG_SNR, Sampler.ANCESTRAL, 0.08),
        (5, 20, Spacing.LOG_SNR, Sampler.DETERMINISTIC, 0.04),
        (4, 24, Spacing.LOG_SNR, Sampler.MULTISTEP, 0.005),
        (4, 16, Spacing.LOG_SNR, Sampler.MULTISTEP, 0.01),
    ],
    ids=["published", "ancestral", "ddim", "standard", "draft"],
)
def test_a_known_gaussian_is_reproduced(
    count: int, steps: int, spacing: Spacing, sampler: Sampler, bias: float
) -> None:
    """With the exact E[x_0 | x_t], samples have the mean and variance of x_0.

    Exactly those of the discrete chain within Monte Carlo error, which in turn are the Gaussian's
    own but for what the finite number of steps costs (`bias`, of the variance).
    """
    spans = intervals(count, spacing)
    variance = variance_by_hand(spans, steps, sampler)
    assert variance == pytest.approx(DEVIATION**2, rel=bias)
    values = chain(gaussian_oracle, open_scene(), spans, steps, sampler).double()
    assert float(values.mean()) == pytest.approx(MEAN, abs=4 * DEVIATION / COUNT**0.5)
    assert float(values.var()) == pytest.approx(variance, rel=4 * (2 / COUNT) ** 0.5)
    kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
    assert float(kurtosis) == pytest.approx(3.0, abs=4 * (24 / COUNT) ** 0.5)


def test_in_twenty_steps_only_multistep_keeps_the_energy() -> None:
    """Within five per cent of the variance, where ancestral steps lose more than a quarter."""
    spans = intervals(1, Spacing.LOG_SNR)
    kept = {}
    for sampler in (Sampler.MULTISTEP, Sampler.ANCESTRAL):
        values = chain(gaussian_oracle, open_scene(), spans, 20, sampler).double()
        kept[sampler] = variance_by_hand(spans, 20, sampler) / DEVIATION**2
        found = float(values.var()) / DEVIATION**2
        assert found == pytest.approx(kept[sampler], rel=4 * (2 / COUNT) ** 0.5)
    assert kept[Sampler.MULTISTEP] == pytest.approx(1.0, abs=0.05)
    assert kept[Sampler.ANCESTRAL] < 0.75


@pytest.mark.parametrize(("share", "bias"), [(0.84, 0.08), (1.0, 0.06), (2.0, 0.04), (4.0, 0.03)])
def test_a_detail_level_keeps_the_detail_s_energy(share: float, bias: float) -> None:
    """Started at top_timestep from the guess alone, in two intervals of ten steps.

    Detail of the deviation that a finer level's unit makes of it (a fourth root of 2 less, too)
    loses little where the ladder ends. Components with several times the mean spread, which are
    the flat and slow ones, are kept too; begun where noise is only four times the spread, those
    would lose a quarter.
    """
    spread, guess = 0.06, 0.2
    spans = intervals(2, Spacing.LOG_SNR, top=top_timestep(spread))
    variance = variance_by_hand(spans, 10, Sampler.MULTISTEP, share * spread)
    assert variance == pytest.approx((share * spread) ** 2, rel=bias)
    scene = open_scene(guess=guess)
    found = chain(gaussian(share * spread), scene, spans, 10, Sampler.MULTISTEP).double()
    assert float(found.mean()) == pytest.approx(guess, abs=4 * share * spread / COUNT**0.5)
    assert float(found.var()) == pytest.approx(variance, rel=4 * (2 / COUNT) ** 0.5)
    if share == 4.0:
        low = next(t for t in range(T) if sigma(t) >= 4 * spread) + 1
        short = intervals(2, Spacing.LOG_SNR, top=low)
        lost = variance_by_hand(short, 10, Sampler.MULTISTEP, share * spread)
        assert lost < 0.8 * (share * spread) ** 2


def test_faint_detail_would_be_lost_where_the_ladder_of_timesteps_ends() -> None:
    """The last noise is no fainter than it: why a finer level is worked in a unit of its own."""
    spans = intervals(2, Spacing.LOG_SNR, top=top_timestep(0.02))
    found = chain(gaussian(0.02), open_scene(), spans, 10, Sampler.MULTISTEP).double()
    assert float(found.var()) / 0.02**2 == pytest.approx(0.64, abs=0.03)


def test_a_level_begins_with_its_guess_and_the_plate() -> None:
    """Known voxels from the plate, missing ones from the guess, at the first timestep's noise."""
    _, scene = half_known()
    guess = torch.full((1, *scene.x_0.shape), 5.0)
    scene = replace(scene, hint=bare(guess), corner=(3, 2))
    a = alpha_bar(400)
    noise = SOURCE.at(400, scene.x_0, (3, 2))
    clean = noised(scene, SOURCE, 400, guess[0]).sub(math.sqrt(1 - a) * noise) / math.sqrt(a)
    assert torch.allclose(clean[..., :4], scene.x_0[..., :4], atol=1e-5)
    assert torch.allclose(clean[..., 4:], torch.tensor(5.0), atol=1e-5)


def test_multistep_leans_on_the_change_of_x_0_by_the_ratio_of_strides() -> None:
    """An interval's first step is ancestral; a later one reaches half its stride further."""
    at_700 = noised(open_scene(), SOURCE, 700, open_scene().hint.guess[0])
    steps = {k: walked((700, 600), k, SOURCE) for k in (Sampler.MULTISTEP, Sampler.ANCESTRAL)}
    once = posterior(700, 600)
    x_0 = gain(700, DEVIATION) * (at_700 - math.sqrt(alpha_bar(700)) * MEAN) + MEAN
    at_600 = once.x_0_weight * x_0 + once.x_t_weight * at_700
    at_600 = at_600 + once.deviation * SOURCE.at(600, at_700)
    change = gain(600, DEVIATION) * (at_600 - math.sqrt(alpha_bar(600)) * MEAN) + MEAN - x_0
    ratio = (log_snr(100) - log_snr(600)) / (log_snr(600) - log_snr(700))  # 2.8
    lean = posterior(600, 100).x_0_weight * 0.5 * ratio * change
    found = steps[Sampler.MULTISTEP] - steps[Sampler.ANCESTRAL]
    assert torch.allclose(found, lean, atol=1e-4)
    first = [walked((700,), sampler, SOURCE) for sampler in steps]
    assert torch.equal(*first)


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


@pytest.mark.parametrize("sampler", list(Sampler))
def test_how_many_frames_go_on_at_once_changes_no_bit(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large clip is carried on some frames at a time, each under its own frame's noise."""
    whole = walked((700, 600, 400), sampler, SOURCE)
    monkeypatch.setattr(shelf, "AT_ONCE", 4 * math.prod((3, 24, 24)))  # of six frames
    assert torch.equal(walked((700, 600, 400), sampler, SOURCE), whole)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_known_voxels_come_out_bit_identical(sampler: Sampler) -> None:
    """Whatever the denoiser says of them, NaN included."""
    _, scene = half_known()
    known = ~scene.hole.bool().expand_as(scene.x_0)

    def wrong(x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor) -> Tensor:
        return torch.where(hole > 0, x_t, torch.nan)

    result = chain(wrong, scene, intervals(2, Spacing.LOG_SNR), 3, sampler)
    assert torch.equal(result[known], scene.x_0[known])
    assert torch.isfinite(result).all()


@pytest.mark.parametrize("ends", [UNIT_RANGE, ((-0.2, 0.1, -0.5), (3.5, 1.0, 2.0))])
def test_prediction_is_clipped_at_the_known_range(ends: tuple[Colour, Colour]) -> None:
    """At the encoded values of each channel that are known, not at 1: HDR lives."""
    _, scene = half_known()
    scene = replace(scene, lowest=ends[0], highest=ends[1])
    inside = scene.hole[0].bool()
    for says, becomes in (
        (100.0, ends[1]),
        (-100.0, ends[0]),
        *((v, (v,) * 3) for v in (0.5, 0.99)),
    ):
        oracle = truth_oracle(torch.full_like(scene.x_0, says))
        result = chain(oracle, scene, intervals(2, Spacing.LOG_SNR), 2, Sampler.ANCESTRAL)
        for channel, value in zip(result, becomes, strict=True):
            assert torch.equal(channel[inside], torch.full_like(channel[inside], value))


def test_the_denoiser_is_asked_as_it_was_trained() -> None:
    """It sees plate, hole and hint as they are, in a batch of one, and the timesteps in turn."""
    truth, scene = half_known()
    scene = replace(scene, hint=bare(torch.randn(1, *truth.shape)))
    asked: list[int] = []

    def watching(x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor) -> Tensor:
        assert torch.equal(conditioning, scene.x_0[None])
        assert torch.equal(hole, scene.hole[None])
        assert hint is scene.hint
        assert x_t.shape == (1, *truth.shape)
        asked.append(int(t))
        return truth[None].clone()  # a sampler may write into what it is given

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
    ("sampler", "noisy"),
    [(Sampler.ANCESTRAL, True), (Sampler.MULTISTEP, True), (Sampler.DETERMINISTIC, False)],
)
def test_only_ddim_adds_no_noise(sampler: Sampler, noisy: bool) -> None:
    """Two sources, one start: DDIM ends in the same sample, the others in two."""
    first, second = (
        walked((999, 700, 400), sampler, source) for source in (SOURCE, NoiseSource(seed=8, take=0))
    )
    assert torch.equal(first, second) is not noisy


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
            noised(scene, SOURCE, 700, scene.hint.guess[0]),
            scene,
            timesteps=(700, 400, 100),
            then=50,
            sampler=sampler,
            source=SOURCE,
            on_step=ignore,
        )

    guess = torch.rand(1, *truth.shape)
    scene = Scene(truth * (1 - hole), hole, *UNIT_RANGE, bare(guess))
    box = replace(
        scene,
        x_0=scene.x_0[..., rows, columns],
        hole=hole[..., rows, columns],
        hint=bare(guess[..., rows, columns]),
        corner=(rows.start, columns.start),
    )
    for of_box, of_whole in zip(sampled(box), sampled(scene), strict=True):
        assert torch.equal(of_box, of_whole[..., rows, columns])
