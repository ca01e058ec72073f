"""Our network: a Wiener filter about the guess before it is fitted, blind to noise where known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import initialise, precise
from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.residual import (
    INPUTS,
    LEAST_SPREAD,
    SPREAD_MARGIN,
    Gauge,
    ResidualDenoiser,
    scalings,
)
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.settings import Precision

SHAPE = (3, 3, 32, 32)
SPREAD = 0.2
GAUGE = Gauge(
    mean=torch.tensor([0.3, 0.0, -0.4]),
    deviation=torch.tensor(0.6),
    spread=torch.tensor(SPREAD),
    moving=torch.tensor(0.5),
    unseen=torch.tensor(SPREAD**2),  # so that of what is not remembered, all of it is expected
    axes=torch.eye(3),
    shares=torch.ones(3),
)
TURNED = replace(
    GAUGE,
    axes=torch.tensor([[2.0, 1.0, 2.0], [-2.0, 2.0, 1.0], [1.0, 2.0, -2.0]]) / 3.0,
    shares=torch.tensor([1.0, 0.5, 0.1]),
)
"""Axes of colour that no two channels have a like part in, and something else along each."""
GAUGES = pytest.mark.parametrize("gauge", [GAUGE, TURNED], ids=["rgb", "turned"])


@pytest.fixture(scope="module")
def clip() -> Tensor:
    """A clip, (3, T, H, W)."""
    torch.manual_seed(5)
    return torch.randn(SHAPE)


@pytest.fixture(scope="module")
def guess(clip: Tensor) -> Tensor:
    """A guess of it, (1, 3, T, H, W), wrong by about the spread."""
    torch.manual_seed(6)
    return (clip + SPREAD * torch.randn(SHAPE))[None]


def unfitted(gauge: Gauge = GAUGE) -> ResidualDenoiser:
    """As every fit begins."""
    model = ResidualDenoiser(channels=8)
    initialise(model, 0)
    model.gauge = gauge
    return model.eval()


def fitted() -> ResidualDenoiser:
    """Its last layer says something, as after some steps."""
    model = unfitted()
    torch.manual_seed(1)
    with torch.no_grad():
        model.network.last.weight.normal_(0.0, 0.5)
    return model


def cut_hole() -> Tensor:
    """(1, 1, T, H, W): a hole with odd edges."""
    hole = torch.zeros(1, 1, *SHAPE[1:])
    hole[..., 5:18, 11:26] = 1.0
    return hole


def mixed(colours: Tensor, axes: Tensor) -> Tensor:
    """(B, 3, T, H, W) along axes of colour -> the same in red, green and blue."""
    return (axes.T @ colours.flatten(2)).reshape(colours.shape)


@GAUGES
@pytest.mark.parametrize("t", [1, 50, 300, 700, 999])
def test_an_unfitted_network_is_the_wiener_filter_about_the_guess(
    clip: Tensor, guess: Tensor, gauge: Gauge, t: int
) -> None:
    """E[x_0 | x_t] for x_0 ~ N(guess, C) at every voxel, C the covariance of the colours."""
    a = alpha_bar(t)
    torch.manual_seed(t)
    x_t = (math.sqrt(a) * clip + math.sqrt(1 - a) * torch.randn(SHAPE))[None]
    hole, at = cut_hole(), torch.tensor([t])
    with torch.no_grad():
        found = unfitted(gauge)(x_t, clip[None] * (1 - hole), hole, bare(guess), at)
    axes, spreads = gauge.axes.double(), SPREAD * gauge.shares.double()
    covariance = axes.T @ torch.diag(spreads**2) @ axes
    gain = math.sqrt(a) * covariance @ torch.inverse(a * covariance + (1 - a) * torch.eye(3))
    noisy = (x_t - math.sqrt(a) * guess).double()
    expected = guess + torch.tensordot(gain, noisy[0], dims=1)[None].float()
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_noise_at_known_voxels_has_no_say(clip: Tensor, guess: Tensor) -> None:
    """x_t where the plate is known influences no voxel that is to be filled."""
    hole = cut_hole()
    inside = hole.expand(1, *SHAPE) > 0
    x_t = torch.randn(1, *SHAPE)
    other = torch.where(inside, x_t, 1e3 * torch.randn(1, *SHAPE))
    known = clip[None] * (1 - hole)
    model, t = fitted(), torch.tensor([400])
    with torch.no_grad():
        first, second = (model(x, known, hole, bare(guess), t) for x in (x_t, other))
        third = model(x_t + 1.0 * inside, known, hole, bare(guess), t)
    assert torch.equal(first[inside], second[inside])
    assert not torch.allclose(first[inside], third[inside], atol=1e-2)  # in the hole it has


def test_the_plate_is_seen_at_zero_noise(clip: Tensor, guess: Tensor) -> None:
    """The known surroundings do influence the fill, through the conditioning."""
    hole = cut_hole()
    inside = hole.expand(1, *SHAPE) > 0
    x_t = torch.randn(1, *SHAPE)
    model, t = fitted(), torch.tensor([400])
    with torch.no_grad():
        first = model(x_t, clip[None] * (1 - hole), hole, bare(guess), t)
        second = model(x_t, (clip[None] + 0.1) * (1 - hole), hole, bare(guess), t)
    assert not torch.allclose(first[inside], second[inside], atol=1e-3)


def test_conditioning_under_the_hole_has_no_say(clip: Tensor, guess: Tensor) -> None:
    """Even a conditioning that is not zero there changes nothing."""
    hole = cut_hole()
    x_t = torch.randn(1, *SHAPE)
    model, t = fitted(), torch.tensor([400])
    with torch.no_grad():
        first = model(x_t, clip[None] * (1 - hole), hole, bare(guess), t)
        second = model(x_t, torch.where(hole > 0, 1e6, clip[None]), hole, bare(guess), t)
    assert torch.equal(first, second)


def hint_about(guess: Tensor, *, colour: float = 0.0, weight: float, energy: float = 0.0) -> Hint:
    """A hint whose memory, weight and energy are the same everywhere; guess is (1, 3, T, H, W)."""
    flat = torch.ones_like(guess[:, :1])
    memory = torch.full_like(guess[:, :, :1], colour)
    return Hint(guess=guess, memory=memory, weight=weight * flat[:, :, :1], energy=energy * flat)


def test_what_other_frames_saw_has_a_say_as_far_as_it_can_be_trusted(
    clip: Tensor, guess: Tensor
) -> None:
    """A memory of no weight changes nothing whatever it holds; one of some weight does."""
    hole, x_t, t = cut_hole(), torch.randn(1, *SHAPE), torch.tensor([400])
    found = []
    with torch.no_grad():
        for colour, weight in ((0.0, 0.0), (9.0, 0.0), (0.0, 0.5), (9.0, 0.5)):
            hint = hint_about(guess, colour=colour, weight=weight)
            found.append(fitted()(x_t, clip[None] * (1 - hole), hole, hint, t))
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2], atol=1e-3)
    assert not torch.allclose(found[2], found[3], atol=1e-3)


def test_the_network_is_shown_the_guess_itself(clip: Tensor, guess: Tensor) -> None:
    """Not only what differs from it: equal residuals over another guess are corrected otherwise."""
    hole = cut_hole()
    a = alpha_bar(400)
    residual = torch.randn(1, *SHAPE)

    def corrected(about: Tensor) -> Tensor:
        x_t = math.sqrt(a) * (about + residual)
        plate = (about + residual) * (1 - hole)
        with torch.no_grad():
            found: Tensor = fitted()(x_t, plate, hole, bare(about), torch.tensor([400]))
        return found - about

    assert not torch.allclose(corrected(guess), corrected(guess.flip(-1)), atol=1e-2)


def test_a_shot_s_own_level_and_spread_are_units(clip: Tensor, guess: Tensor) -> None:
    """What is added to everything, the gauge's mean included, is added to the prediction alone."""
    hole, t = cut_hole(), torch.tensor([300])
    a = alpha_bar(300)
    x_t, known = torch.randn(1, *SHAPE), clip[None] * (1 - hole)
    model, shifted = fitted(), fitted()
    shift = torch.tensor([0.5, -1.0, 2.0])
    shifted.gauge = replace(GAUGE, mean=GAUGE.mean + shift)
    shift = shift[None, :, None, None, None]
    with torch.no_grad():
        first = model(x_t, known, hole, bare(guess), t)
        moved = (
            x_t + math.sqrt(a) * shift,
            (known + shift) * (1 - hole),
            hole,
            bare(guess + shift),
            t,
        )
        second = shifted(*moved)
    assert torch.allclose(second, first + shift, atol=1e-3)


def test_each_clip_of_a_batch_has_its_own_noise_level(clip: Tensor, guess: Tensor) -> None:
    """A batch at two timesteps gives what each gives alone."""
    hole, x_t = cut_hole(), torch.randn(1, *SHAPE)
    known = clip[None] * (1 - hole)
    model = fitted()
    twice = [x.expand(2, -1, -1, -1, -1) for x in (x_t, known, hole, guess)]
    with torch.no_grad():
        both = model(*twice[:3], bare(twice[3]), torch.tensor([3, 900]))
        alone = [model(x_t, known, hole, bare(guess), torch.tensor([t])) for t in (3, 900)]
    # sqrt(alpha-bar) divides at 900: float32 has its seven digits of a hundred.
    assert torch.allclose(both, torch.cat(alone), rtol=1e-4, atol=1e-3)
    assert not torch.allclose(both[0], both[1], atol=1e-2)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (17, 31), (5, 32), (2, 3), (1, 1)])
@pytest.mark.parametrize("frames", [1, 3])
def test_any_size_will_do(
    clip: Tensor, guess: Tensor, frames: int, height: int, width: int
) -> None:
    """Odd heights and widths, slivers and single frames are clips like any other."""
    part = (..., slice(frames), slice(height), slice(width))
    hole, whole = cut_hole()[part], clip[None][part]
    with torch.no_grad():
        found = fitted()(
            torch.randn_like(whole),
            whole * (1 - hole),
            hole,
            bare(guess[part]),
            torch.tensor([400]),
        )
    assert found.shape == whole.shape
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize(("height", "width"), [(63, 64), (62, 61)])
def test_a_cut_changes_nothing_far_from_it(height: int, width: int) -> None:
    """A clip of any size is seen as the part of a larger one that it is: nothing is shifted."""
    torch.manual_seed(7)
    x_t, known, guess = torch.randn(3, 1, 3, 1, 64, 64)
    hole = torch.zeros(1, 1, 1, 64, 64)
    hole[..., 3:50, 9:60] = 1.0
    model, t = fitted(), torch.tensor([200])
    with torch.no_grad():
        whole = model(x_t, known, hole, bare(guess), t)
        *part, about = (x[..., :height, :width] for x in (x_t, known, hole, guess))
        cut = model(*part, bare(about), t)
    assert torch.allclose(cut[..., :20, :20], whole[..., :20, :20], atol=1e-5)
    assert not torch.allclose(cut, whole[..., :height, :width], atol=1e-3)  # near the cut it does


@pytest.mark.parametrize("sigma", [0.01, 0.3, 12.0])
def test_scalings_are_edm_s(sigma: float) -> None:
    """c_skip = s^2 / (s^2 + sigma^2), c_out = s sigma / sqrt(s^2 + sigma^2), s the spread."""
    for spread in (0.02, SPREAD, 0.5):
        c_skip, c_out = scalings(torch.tensor(spread), torch.tensor(sigma))
        assert float(c_skip) == pytest.approx(spread**2 / (spread**2 + sigma**2), rel=1e-4)
        assert float(c_out) == pytest.approx(spread * sigma / math.hypot(spread, sigma), rel=1e-4)


@pytest.mark.parametrize(
    ("energy", "weight", "expected"),
    [
        (0.02, 1.0, SPREAD_MARGIN * math.sqrt(0.5 * 0.02)),  # of what is remembered, its motion
        (0.0, 0.7, SPREAD_MARGIN * SPREAD * math.sqrt(0.3)),  # of what is still, what is not seen
        (0.01, 0.9, SPREAD_MARGIN * math.sqrt(0.5 * 0.01 + 0.1 * SPREAD**2)),
        (0.0, 1.0, LEAST_SPREAD * SPREAD),
        (1e-5, 1.0, LEAST_SPREAD * SPREAD),
        (0.0, 0.0, SPREAD),
        (9.0, 1.0, SPREAD),
    ],
)
def test_a_voxel_s_spread_is_what_is_expected_of_it(
    guess: Tensor, energy: float, weight: float, expected: float
) -> None:
    """Motion, what is not remembered, and a margin, within four tenths and all of the level's."""
    found = fitted().spread(hint_about(guess, weight=weight, energy=energy))
    assert found.shape == (1, 1, *SHAPE[1:])
    assert torch.allclose(found, torch.tensor(expected), rtol=1e-4)


def mixed_hint(guess: Tensor) -> Hint:
    """A hint that expects something else of each voxel and remembers each pixel otherwise."""
    generator = torch.Generator().manual_seed(3)
    energy = 0.1 * torch.rand(1, 1, *SHAPE[1:], generator=generator) ** 3
    weight = torch.rand(1, 1, 1, *SHAPE[2:], generator=generator)
    return replace(hint_about(guess, weight=0.0), weight=weight, energy=energy)


@pytest.mark.parametrize("t", [1, 300, 999])
def test_the_filter_goes_by_each_voxel_s_own_spread(clip: Tensor, guess: Tensor, t: int) -> None:
    """An unfitted network takes little of the noise for texture where little is expected."""
    model, hint = unfitted(), mixed_hint(guess)
    spread, a = model.spread(hint), alpha_bar(t)
    assert float(spread.min()) < 0.5 * SPREAD
    assert float(spread.max()) == pytest.approx(SPREAD)
    torch.manual_seed(t)
    x_t = (math.sqrt(a) * clip + math.sqrt(1 - a) * torch.randn(SHAPE))[None]
    hole = cut_hole()
    with torch.no_grad():
        found = model(x_t, clip[None] * (1 - hole), hole, hint, torch.tensor([t]))
    gain = spread**2 * math.sqrt(a) / (spread**2 * a + 1 - a)
    expected = guess + gain * (x_t - math.sqrt(a) * guess)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


@GAUGES
def test_a_unit_of_the_network_is_c_out_at_each_voxel(guess: Tensor, gauge: Gauge) -> None:
    """What the last layer says is added in it along each axis, and so is the loss taken."""
    model, hint, t = unfitted(gauge), mixed_hint(guess), torch.tensor([400])
    assert model.network.last.bias is not None
    bias = torch.tensor([2.0, -1.0, 0.5])
    with torch.no_grad():
        model.network.last.bias.copy_(bias)
        x_t, nothing = torch.randn(1, *SHAPE), torch.zeros(1, *SHAPE)
        said = model(x_t, nothing, cut_hole(), hint, t)
        silent = unfitted(gauge)(x_t, nothing, cut_hole(), hint, t)
    units = bias[None, :, None, None, None].expand_as(said)
    spreads = model.spread(hint) * gauge.shares[None, :, None, None, None]
    c_out = spreads * model.sigma(t) / torch.sqrt(spreads**2 + model.sigma(t) ** 2)
    assert torch.allclose(said - silent, mixed(c_out * units, gauge.axes), atol=1e-4)
    assert torch.allclose(model.in_units(said - silent, hint, t), units, rtol=1e-3)
    assert torch.allclose(model.in_units(mixed(c_out, gauge.axes), hint, t), torch.ones_like(units))


@pytest.mark.parametrize("t", [1, 300, 999])
def test_all_but_convolutions_keep_their_digits(clip: Tensor, guess: Tensor, t: int) -> None:
    """bf16 is for the network alone: while it says nothing, predictions are the same bits."""
    hole, hint = cut_hole(), mixed_hint(guess)
    torch.manual_seed(t)
    given = (torch.randn(1, *SHAPE), clip[None] * (1 - hole), hole, hint, torch.tensor([t]))
    model, cpu = unfitted(TURNED), torch.device("cpu")
    with torch.no_grad(), precise(Precision.BF16, cpu):
        short, seen = model(*given), model.along(clip[None])
    with torch.no_grad():
        assert torch.equal(short, model(*given))
        assert torch.equal(seen, model.along(clip[None]))


def test_an_axis_has_no_sign_before_a_fit(clip: Tensor, guess: Tensor) -> None:
    """Turned about, it gives the same prediction of an unfitted network."""
    hole, hint, t = cut_hole(), mixed_hint(guess), torch.tensor([300])
    torch.manual_seed(2)
    given = (torch.randn(1, *SHAPE), clip[None] * (1 - hole), hole, hint, t)
    with torch.no_grad():
        first = unfitted(TURNED)(*given)
        for row in range(3):
            sign = torch.ones(3, 1)
            sign[row] = -1.0
            found = unfitted(replace(TURNED, axes=sign * TURNED.axes))(*given)
            assert torch.equal(found, first)


@GAUGES
@pytest.mark.parametrize("t", [1, 300, 999])
@pytest.mark.parametrize("weight", [0.25, 0.9])
def test_the_network_sees_features_of_unit_size(gauge: Gauge, t: int, weight: float) -> None:
    """At every noise level, for any shot and any spread, once the gauge has been measured."""
    torch.manual_seed(8)
    a, shape = alpha_bar(t), (1, 3, 4, 64, 64)
    guess = GAUGE.mean[None, :, None, None, None] + float(GAUGE.deviation) * torch.randn(shape)
    model, seen = unfitted(gauge), list[Tensor]()
    shares = gauge.shares[None, :, None, None, None]
    hint = hint_about(guess, weight=weight)
    hole = torch.zeros(1, 1, *shape[2:])
    hole[..., 32:] = 1.0
    spread = torch.where(hole > 0, model.spread(hint), SPREAD)  # the plate is that of the level
    x_0 = guess + mixed(spread * shares * torch.randn(shape), gauge.axes)
    x_t = math.sqrt(a) * x_0 + math.sqrt(1 - a) * torch.randn(shape)
    hint = replace(hint, memory=x_0.mean(2, keepdim=True))
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(x_t, x_0 * (1 - hole), hole, hint, torch.tensor([t]))
    assert seen[0].shape == (1, INPUTS, *shape[2:])
    left, right = seen[0].double().chunk(2, -1)
    noisy, known, shown = (slice(3 * i, 3 * i + 3) for i in range(3))
    assert not left[:, noisy].any()
    assert not right[:, known].any()
    for part in (right[:, noisy], left[:, known], left[:, shown], right[:, shown]):
        for channel in part[0]:
            assert float(channel.pow(2).mean()) == pytest.approx(1.0, abs=0.05)
            assert float(channel.mean()) == pytest.approx(0.0, abs=0.05)
    assert (float(left[:, 9].max()), float(right[:, 9].min())) == (0.0, 1.0)
    assert bool((seen[0][:, 10] == 1.0).all())
    remembered = seen[0][:, 11:14] * SPREAD * shares / weight
    assert torch.allclose(mixed(remembered, gauge.axes), hint.memory - guess, atol=1e-5)
    assert torch.allclose(seen[0][:, 14], torch.tensor(weight))
    assert not left[:, 15].any()
    assert torch.allclose(right[:, 15], (spread / SPREAD).log().double()[:, 0, ..., 32:], atol=1e-5)
