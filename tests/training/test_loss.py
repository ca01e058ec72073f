"""The loss: where it is taken, and how noise levels are weighed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import Model
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.residual import Gauge, ResidualDenoiser
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.diffusion.unet import PublishedUNet
from infusion_engine.settings import Network, Settings
from infusion_engine.training.fit import window_loss
from infusion_engine.training.ground import lay_ground
from infusion_engine.training.window import Window, draw_window
from tests.decided import PRESETS

SHAPE = (4, 48, 48)
SPREAD = 0.3
PAPER = replace(PRESETS["paper"], window_frames=3)
DRAFT = replace(PRESETS["draft"], window_frames=3, crop_pixels=16, batch=4)
BOTH = pytest.mark.parametrize("settings", [PAPER, DRAFT], ids=["paper", "draft"])


def matte() -> Tensor:
    """(1, T, H, W): a block."""
    hole = torch.zeros(1, *SHAPE)
    hole[:, :, 13:34, 11:38] = 1.0
    return hole


def clip() -> Tensor:
    """(3, T, H, W), 0 under the matte and nowhere else."""
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.randn(1, 3, 4, 6, 6), scale_factor=(1, 8, 8))[0]
    return (0.4 * smooth + 0.05 * torch.randn(3, *SHAPE)) * (1 - matte())


def window_of(settings: Settings, step: int = 0, x_0: Tensor | None = None) -> Window:
    """A window of the clip, or of another under the same matte."""
    x_0 = clip() if x_0 is None else x_0
    return draw_window(
        lay_ground(PyramidLevel(x_0=x_0, hole=matte()), 0, settings),
        settings=settings,
        interval=Interval(0, 100, 900),
        fit_seed=0,
        step=step,
    )


def matte_within(settings: Settings, step: int) -> Tensor:
    """(B, 3, T, H, W) bool: where a step's windows have the matte."""
    marked = lay_ground(PyramidLevel(x_0=clip(), hole=matte()), 0, settings)
    marked = replace(marked, x_0=matte().expand(3, *SHAPE))
    window = draw_window(
        marked, settings=settings, interval=Interval(0, 100, 900), fit_seed=0, step=step
    )
    return window.x_0 == 1.0


class PublishedOracle(PublishedUNet):
    """Says what it is told to say."""

    answer: Tensor

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        return self.answer


class ResidualOracle(ResidualDenoiser):
    """Says what it is told to say."""

    answer: Tensor

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        return self.answer


EVERYWHERE = torch.tensor(1e9)
"""A gauge's `unseen` by which every voxel has the level's own spread."""
RGB, ALIKE = torch.eye(3), torch.ones(3)
"""Axes of colour along which nothing is told apart."""
TURNED = torch.tensor([[2.0, 1.0, 2.0], [-2.0, 2.0, 1.0], [1.0, 2.0, -2.0]]) / 3.0
SHARES = torch.tensor([1.0, 0.5, 0.1])
"""Others along which they are: orthonormal rows, and the deviation along each."""


def saying(
    settings: Settings,
    answer: Tensor,
    *,
    unseen: Tensor = EVERYWHERE,
    axes: Tensor = RGB,
    shares: Tensor = ALIKE,
) -> Model:
    """A network of the settings' kind that predicts `answer`."""
    model: PublishedOracle | ResidualOracle
    if settings.network is Network.PUBLISHED:
        model = PublishedOracle(channels=4)
    else:
        model = ResidualOracle(channels=8)
        one = torch.tensor(1.0)
        model.gauge = Gauge(
            mean=torch.zeros(3),
            deviation=one,
            spread=torch.tensor(SPREAD),
            moving=0.1 * one,
            unseen=unseen,
            axes=axes,
            shares=shares,
        )
    model.answer = answer
    return model


def variances(t: Tensor) -> Tensor:
    """(B, 1, 1, 1, 1) double: c_out^2 of EDM, written out from the schedule."""
    noise = torch.tensor([(1 - alpha_bar(int(i))) / alpha_bar(int(i)) for i in t]).double()
    return (SPREAD**2 * noise / (SPREAD**2 + noise))[:, None, None, None, None]


@BOTH
def test_the_loss_ignores_the_matte(settings: Settings) -> None:
    """Its gradient is zero for every predicted value under the matte, and its value is the same."""
    met = 0
    for step in range(10):
        window, under = window_of(settings, step), matte_within(settings, step)
        met += int(under.sum())
        torch.manual_seed(step)
        answer = torch.randn_like(window.x_0, requires_grad=True)
        loss = window_loss(saying(settings, answer), window, settings)
        (gradient,) = torch.autograd.grad(loss, answer)
        assert gradient.any()
        assert not gradient[under].any()
        assert torch.isfinite(gradient).all()
        wild = torch.where(under, torch.full_like(answer, 1e6), answer).detach()
        assert torch.equal(window_loss(saying(settings, wild), window, settings), loss)
    assert met > 0


@BOTH
@pytest.mark.parametrize("extreme", [1e6, -1e6])
def test_what_stands_under_the_matte_has_no_say(settings: Settings, extreme: float) -> None:
    """The plate may hold anything there: of the same prediction the loss is the same."""
    poisoned = torch.where(matte() == 1.0, extreme, clip())
    for step in range(4):
        window, other = window_of(settings, step), window_of(settings, step, poisoned)
        answer = torch.zeros_like(window.x_0)
        assert torch.equal(
            window_loss(saying(settings, answer), window, settings),
            window_loss(saying(settings, answer), other, settings),
        )


def test_the_published_loss_is_a_mean_over_all_pixels() -> None:
    """Squared error summed over pixels outside the matte, divided by the number of all pixels."""
    window, under = window_of(PAPER), matte_within(PAPER, 0)
    torch.manual_seed(0)
    answer = torch.randn_like(window.x_0)
    expected = (answer - window.x_0)[~under].double().pow(2).sum() / answer.numel()
    found = window_loss(saying(PAPER, answer), window, PAPER)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@BOTH
def test_the_truth_has_no_loss(settings: Settings) -> None:
    """Predicting x_0 itself costs nothing; anything else does."""
    window = window_of(settings, 3)
    assert float(window_loss(saying(settings, window.x_0), window, settings)) == 0.0
    assert float(window_loss(saying(settings, window.x_0 + 0.1), window, settings)) > 0.0


def test_our_loss_counts_only_what_the_occluder_hides() -> None:
    """What the network could copy from the plate earns nothing; all that it hides does."""
    for step in range(10):
        window = window_of(DRAFT, step)
        answer = (window.x_0 + 0.1).requires_grad_()
        loss = window_loss(saying(DRAFT, answer), window, DRAFT)
        (gradient,) = torch.autograd.grad(loss, answer)
        hidden = (window.hole.expand_as(gradient) == 1.0) & ~matte_within(DRAFT, step)
        assert hidden.any()
        assert torch.equal(gradient != 0.0, hidden)


def test_our_loss_is_squared_error_in_units_of_the_network_s_output() -> None:
    """A mean over what counts of error^2 / c_out^2, each window by its own noise level."""
    window = window_of(DRAFT, 3)
    assert len(set(window.t.tolist())) > 1
    torch.manual_seed(0)
    answer = window.x_0 + torch.randn_like(window.x_0)
    squares = (answer - window.x_0).double().pow(2) / variances(window.t)
    expected = squares[window.counted.expand_as(squares) == 1.0].mean()
    found = window_loss(saying(DRAFT, answer), window, DRAFT)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_our_loss_weighs_each_voxel_by_its_own_spread() -> None:
    """An error is taken in parts of what is expected of the voxel, not of the whole level."""
    window = window_of(DRAFT, 3)
    torch.manual_seed(0)
    answer = window.x_0 + torch.randn_like(window.x_0)
    model = saying(DRAFT, answer, unseen=torch.tensor(0.02))
    assert isinstance(model, ResidualDenoiser)
    spread = model.spread(window.hint).double()
    assert float(spread.max()) > 1.2 * float(spread.min())
    noise = model.sigma(window.t).double()
    squares = (answer - window.x_0).double().pow(2) * (1 / spread**2 + 1 / noise**2)
    expected = squares[window.counted.expand_as(squares) == 1.0].mean()
    assert float(window_loss(model, window, DRAFT)) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("axes", [RGB, TURNED], ids=["rgb", "turned"])
def test_our_loss_takes_errors_along_the_axes_of_colour(axes: Tensor) -> None:
    """A mean over axes and what counts of error^2 / c_out^2, weighed by share over mean share."""
    window = window_of(DRAFT, 3)
    torch.manual_seed(0)
    error = torch.randn_like(window.x_0)
    noise = torch.tensor([(1 - alpha_bar(int(t))) / alpha_bar(int(t)) for t in window.t]).double()
    expected, counts = 0.0, window.counted.double()
    for axis, share in zip(axes.double(), SHARES.double(), strict=True):
        along = (error.double() * axis[:, None, None, None]).sum(1, keepdim=True)
        unit = (SPREAD * share) ** 2 * noise / ((SPREAD * share) ** 2 + noise)
        squares = along**2 / unit[:, None, None, None, None] * counts
        expected += float(share / SHARES.double().mean() * squares.sum() / counts.sum()) / 3.0
    model = saying(DRAFT, window.x_0 + error, axes=axes, shares=SHARES)
    assert float(window_loss(model, window, DRAFT)) == pytest.approx(expected, rel=1e-4)


def test_our_loss_hears_all_colours_alike_where_their_shares_are() -> None:
    """Turned axes of equal shares are no other than red, green and blue."""
    window = window_of(DRAFT, 3)
    torch.manual_seed(0)
    answer = window.x_0 + torch.randn_like(window.x_0)
    losses = [
        float(window_loss(saying(DRAFT, answer, axes=axes), window, DRAFT))
        for axes in (RGB, TURNED)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_our_loss_is_least_at_the_mean(size: float) -> None:
    """Not at the median, however far out the rare values are: sampling needs the mean."""
    torch.manual_seed(0)
    rare = (torch.rand(1, 3, *SHAPE) < 0.05).float() * size  # the median is 0
    window = replace(
        window_of(replace(DRAFT, batch=1, crop_pixels=0, window_frames=4)),  # the whole clip
        x_0=rare,
        counted=torch.ones(1, 1, *SHAPE),
    )
    answer = rare.mean().requires_grad_()
    loss = window_loss(saying(DRAFT, answer.expand_as(rare)), window, DRAFT)
    (gradient,) = torch.autograd.grad(loss, answer)
    scale = 1.0 / float(variances(window.t))  # half of the slope, one unit away
    assert abs(float(gradient)) < 1e-3 * scale * size * 0.05


def test_a_window_without_anything_to_count_is_no_trouble() -> None:
    """The occluder may lie wholly under the matte: no loss, and nothing that is not finite."""
    window = window_of(DRAFT)
    window = replace(window, counted=torch.zeros_like(window.counted))
    answer = torch.randn_like(window.x_0, requires_grad=True)
    loss = window_loss(saying(DRAFT, answer), window, DRAFT)
    (gradient,) = torch.autograd.grad(loss, answer)
    assert float(loss.detach()) == 0.0
    assert not gradient.any()
