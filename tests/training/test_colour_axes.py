"""Axes of colour: the directions in which the guess is out, and how far along each of them."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import initialise
from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.residual import Gauge, ResidualDenoiser
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.training.fit import fit_interval
from infusion_engine.training.gauge import measured, principal
from infusion_engine.training.ground import lay_ground
from tests.decided import PRESETS

SHAPE = (4, 48, 48)
DRAFT = replace(PRESETS["draft"], window_frames=3, crop_pixels=32)
LEVELS = pytest.mark.parametrize("level", [0, 1], ids=["coarsest", "finer"])
TURNED = np.array([[2.0, 3.0, 6.0], [3.0, -6.0, 2.0], [6.0, 2.0, -3.0]]) / 7.0
"""Orthonormal rows; the second one's largest part is below 0."""
GREY = np.full(3, 1.0 / math.sqrt(3.0))
LEAST = 0.1
"""No share is less."""


def errors_along(axes: np.ndarray, *deviations: float, number: int = 40_000) -> np.ndarray:
    """(N, 3) errors of so much along each axis."""
    drawn = np.random.default_rng(0).standard_normal((number, 3)) * np.array(deviations)
    return np.asarray(drawn @ axes)


def upright(axes: np.ndarray) -> np.ndarray:
    """The same axes, each with its largest part above 0."""
    return np.stack([axis if axis[np.abs(axis).argmax()] > 0.0 else -axis for axis in axes])


@pytest.mark.parametrize("turn", [TURNED, TURNED[::-1], -TURNED, np.eye(3)[[2, 0, 1]]])
def test_known_directions_are_found_again(turn: np.ndarray) -> None:
    """Furthest first, whatever their signs were, with deviations as parts of the furthest."""
    axes, shares = principal(errors_along(turn, 0.4, 0.2, 0.08))
    assert np.allclose(axes, upright(turn), atol=0.02)
    assert shares == pytest.approx([1.0, 0.5, 0.2], rel=0.02)
    assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-9)


def test_the_order_is_that_of_the_deviations() -> None:
    """And not that in which they came."""
    axes, shares = principal(errors_along(TURNED, 0.08, 0.4, 0.2))
    assert np.allclose(axes, upright(TURNED)[[1, 2, 0]], atol=0.02)
    assert shares == pytest.approx([1.0, 0.5, 0.2], rel=0.02)


def test_the_size_of_the_errors_has_no_say() -> None:
    """Shares and directions alone: how far out the guess is, is what `spread` says."""
    errors = errors_along(TURNED, 0.4, 0.2, 0.08)
    for found, expected in zip(principal(1e-3 * errors), principal(errors), strict=True):
        assert np.allclose(found, expected, atol=1e-9)


def test_errors_are_taken_about_nought() -> None:
    """A guess that is too red throughout is out along red: it is no matter of the mean."""
    errors = 0.1 * errors_along(TURNED, 0.4, 0.2, 0.08) + np.array([3.0, 0.0, 0.0])
    axes, shares = principal(errors)
    assert np.allclose(axes[0], [1.0, 0.0, 0.0], atol=0.01)
    assert shares.tolist() == [1.0, LEAST, LEAST]


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [((1.0, 0.11, 0.05), (1.0, 0.11, LEAST)), ((1.0, 1e-3, 0.0), (1.0, LEAST, LEAST))],
)
def test_no_share_is_below_a_tenth(
    deviations: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    """What hardly varies in the shot may, under the matte, a little."""
    _, shares = principal(errors_along(TURNED, *deviations))
    assert shares == pytest.approx(expected, rel=0.02)
    assert shares.min() == LEAST


@pytest.mark.parametrize("number", [0, 1, 100])
def test_no_error_at_all_tells_no_colour_from_another(number: int) -> None:
    """Red, green and blue, alike."""
    axes, shares = principal(np.zeros((number, 3)))
    assert np.array_equal(axes, np.eye(3))
    assert np.array_equal(shares, np.ones(3))


def test_grey_errors_lie_along_grey() -> None:
    """Across it there is nothing; that leaves two axes, at right angles, with the least share."""
    grey = np.random.default_rng(0).standard_normal((1000, 1)).repeat(3, 1)
    axes, shares = principal(grey)
    assert np.allclose(axes[0], GREY)
    assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert shares.tolist() == [1.0, LEAST, LEAST]


def test_channels_that_have_nothing_to_do_with_each_other_are_the_axes() -> None:
    """In the order of their deviations, each along itself."""
    axes, shares = principal(errors_along(np.eye(3), 0.1, 0.3, 0.2))
    assert np.allclose(axes, np.eye(3)[[1, 2, 0]], atol=0.02)
    assert shares == pytest.approx([1.0, 2 / 3, 1 / 3], rel=0.02)


def matte() -> Tensor:
    """(1, T, H, W): a square block in the middle."""
    hole = torch.zeros(1, *SHAPE)
    hole[:, :, 17:31, 17:31] = 1.0
    return hole


def grain(*deviations: float) -> Tensor:
    """(3, T, H, W): grain of so much along each of the turned axes."""
    colours = errors_along(TURNED, *deviations, number=math.prod(SHAPE))
    return torch.from_numpy(colours.T.reshape(3, *SHAPE)).float()


def ignore(step: int, loss: float) -> None:
    """Nobody watches."""


def gauge_of(x_0: Tensor, *, level: int) -> Gauge:
    """The gauge of a clip."""
    ground = lay_ground(PyramidLevel(x_0, matte()), level, DRAFT)
    return measured(ground, settings=DRAFT, fit_seed=0)


@LEVELS
def test_a_shot_s_axes_are_those_of_its_grain(level: int) -> None:
    """Measured under occluders: here the guess knows nothing but the mean."""
    gauge = gauge_of(0.3 + grain(0.2, 0.1, 0.05), level=level)
    assert np.allclose(gauge.axes.numpy(), upright(TURNED), atol=0.05)
    assert gauge.shares.tolist() == pytest.approx([1.0, 0.5, 0.25], rel=0.1)


@LEVELS
@pytest.mark.parametrize("flipped", [(), (1,), (0, 2), (0, 1, 2)])
def test_axes_point_the_way_they_did_in_the_fit_that_is_gone_on_from(
    level: int, flipped: tuple[int, ...]
) -> None:
    """What weights have learnt of red is said of red again; nothing else of it is taken over."""
    x_0 = 0.3 + grain(0.2, 0.1, 0.05)
    ground = lay_ground(PyramidLevel(x_0, matte()), level, DRAFT)
    model = ResidualDenoiser(channels=8)
    initialise(model, 0)
    signs = torch.tensor([-1.0 if axis in flipped else 1.0 for axis in range(3)])
    own = gauge_of(x_0, level=level)
    other = gauge_of(0.3 + grain(0.15, 0.11, 0.05), level=level)
    model.gauge = replace(other, axes=signs[:, None] * other.axes)
    settings = replace(DRAFT, steps_per_interval=1)
    fit_interval(
        model,
        ground,
        settings=settings,
        interval=Interval(0, 213, 479),
        fit_seed=0,
        carried={},
        on_step=ignore,
    )
    assert torch.equal(model.gauge.axes, signs[:, None] * own.axes)
    assert torch.equal(model.gauge.shares, own.shares)


def test_every_fit_of_a_level_is_gauged_alike() -> None:
    """However many windows its updates take: the first has more of them."""
    ground = lay_ground(PyramidLevel(0.3 + grain(0.2, 0.1, 0.05), matte()), 0, DRAFT)
    one, many = (
        measured(ground, settings=replace(DRAFT, batch=batch), fit_seed=0) for batch in (1, 4)
    )
    assert all(torch.equal(getattr(one, f.name), getattr(many, f.name)) for f in fields(Gauge))


@LEVELS
@pytest.mark.parametrize("t", [20, 300, 999])
def test_a_shot_of_one_colour_is_not_filled_with_noise_of_others(level: int, t: int) -> None:
    """Its colour varies along one direction: all noise across it is at most a tenth as large.

    That is of an unfitted network, at any noise level, shown what the shot's own texture would be.
    """
    gauge = gauge_of(0.3 + grain(0.2, 0.0, 0.0), level=level)
    assert np.allclose(gauge.axes[0].numpy(), upright(TURNED)[0], atol=1e-4)
    assert gauge.shares.tolist() == pytest.approx([1.0, LEAST, LEAST])
    model = ResidualDenoiser(channels=8)
    initialise(model, 0)
    model.gauge = gauge
    guess, hole, a = torch.zeros(1, 3, *SHAPE), torch.ones(1, 1, *SHAPE), alpha_bar(t)
    x_0 = grain(0.2, 0.0, 0.0)[None] * gauge.spread / 0.2
    torch.manual_seed(0)
    x_t = math.sqrt(a) * x_0 + math.sqrt(1.0 - a) * torch.randn(1, 3, *SHAPE)
    with torch.no_grad():
        found = model(x_t, guess, hole, bare(guess), torch.tensor([t]))
    axes = torch.from_numpy(TURNED).float()
    along, *across = (axes @ found.flatten(2))[0].std(1).tolist()
    assert along > 0.0
    assert all(size <= LEAST * along for size in across)
