"""The loss: where it is taken, and how its parts are weighed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import Model
from infusion_engine.diffusion.interval import Interval
from infusion_engine.diffusion.patches import PATCH_SIZES, patch_basis, to_patches
from infusion_engine.diffusion.residual import ResidualDenoiser
from infusion_engine.diffusion.unet import PublishedUNet
from infusion_engine.settings import PRESETS, Network, Settings
from infusion_engine.training.fit import window_loss
from infusion_engine.training.window import Window, draw_window

SHAPE = (4, 48, 48)
PAPER = replace(PRESETS["paper"], window_frames=3)
DRAFT = replace(PRESETS["draft"], window_frames=3, crop_pixels=16)
EACH = pytest.mark.parametrize(
    ("settings", "size"),
    [(PAPER, 2), *((DRAFT, size) for size in PATCH_SIZES)],
    ids=["paper", *(f"draft-{size}px" for size in PATCH_SIZES)],
)
SIZES = pytest.mark.parametrize("size", PATCH_SIZES)


def matte() -> Tensor:
    """(1, T, H, W): a block with odd edges, so that it cuts patches."""
    hole = torch.zeros(1, *SHAPE)
    hole[:, :, 13:34, 11:38] = 1.0
    return hole


def clip() -> Tensor:
    """(3, T, H, W), 0 under the matte and nowhere else."""
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.randn(1, 3, 4, 6, 6), scale_factor=(1, 8, 8))[0]
    return (0.4 * smooth + 0.05 * torch.randn(3, *SHAPE)) * (1 - matte())


def window_of(settings: Settings, size: int, step: int = 0) -> Window:
    """A window of the clip as patches of `size` have it."""
    return draw_window(
        clip(),
        matte(),
        settings=settings,
        interval=Interval(0, 400, 500),
        fit_seed=0,
        step=step,
        reach=size // 2,
    )


class PublishedGuess(PublishedUNet):
    """Says what it is told to say."""

    guess: Tensor

    def forward(self, x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
        return self.guess


class ResidualGuess(ResidualDenoiser):
    """Says what it is told to say."""

    guess: Tensor

    def forward(self, x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
        return self.guess


def guessing(settings: Settings, guess: Tensor, size: int) -> Model:
    """A network of the settings' kind, with patches of `size`, that predicts `guess`."""
    model: PublishedGuess | ResidualGuess
    if settings.network is Network.PUBLISHED:
        model = PublishedGuess(channels=4)
    else:
        model = ResidualGuess(channels=8)
        model.patches = patch_basis(clip(), matte(), size=size)
    model.guess = guess
    return model


@EACH
def test_the_loss_ignores_the_matte(settings: Settings, size: int) -> None:
    """Its gradient is zero for every predicted value under the matte, and its value is the same."""
    for step in range(10):
        window = window_of(settings, size, step)
        under = (window.x_0 == 0.0).all(1, keepdim=True).expand_as(window.x_0)
        assert under.any()
        torch.manual_seed(step)
        guess = torch.randn_like(window.x_0, requires_grad=True)
        loss = window_loss(guessing(settings, guess, size), window, settings)
        (gradient,) = torch.autograd.grad(loss, guess)
        assert not gradient[under].any()
        assert torch.isfinite(gradient).all()
        poisoned = torch.where(under, torch.full_like(guess, 1e6), guess).detach()
        assert torch.equal(window_loss(guessing(settings, poisoned, size), window, settings), loss)


def test_the_published_loss_is_a_mean_over_all_pixels() -> None:
    """Squared error summed over pixels outside the matte, divided by the number of all pixels."""
    window = window_of(PAPER, 2)
    outside = ~(window.x_0 == 0.0).all(1, keepdim=True).expand_as(window.x_0)
    torch.manual_seed(0)
    guess = torch.randn_like(window.x_0)
    expected = (guess - window.x_0)[outside].double().pow(2).sum() / guess.numel()
    found = window_loss(guessing(PAPER, guess, 2), window, PAPER)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@EACH
def test_the_truth_has_no_loss(settings: Settings, size: int) -> None:
    """Predicting x_0 itself costs nothing; anything else does."""
    window = window_of(settings, size, 3)
    assert float(window_loss(guessing(settings, window.x_0, size), window, settings)) == 0.0
    assert float(window_loss(guessing(settings, window.x_0 + 0.1, size), window, settings)) > 0.0


@SIZES
def test_our_loss_counts_only_what_the_occluder_hides(size: int) -> None:
    """What the network could copy from the plate earns nothing."""
    for step in range(10):
        window = window_of(DRAFT, size, step)
        guess = torch.randn_like(window.x_0, requires_grad=True)
        loss = window_loss(guessing(DRAFT, guess, size), window, DRAFT)
        (gradient,) = torch.autograd.grad(loss, guess)
        shown = window.counted.expand_as(gradient) == 0.0
        assert not gradient[shown].any()


@SIZES
def test_our_loss_weighs_components_by_their_spread(size: int) -> None:
    """Small squared errors over c_out^2, times spread over the mean spread, of whole patches."""
    window = window_of(DRAFT, size, 3)
    torch.manual_seed(0)
    model = guessing(DRAFT, window.x_0, size)
    assert isinstance(model, ResidualDenoiser)
    c_out = model.scalings(window.t)[1]
    z = 0.05 * c_out * torch.randn_like(model.patches.components(window.x_0))
    guess = window.x_0 + model.patches.pixels(z)  # small beside c_out
    model = guessing(DRAFT, guess, size)
    assert isinstance(model, ResidualDenoiser)
    height, width = (side // size * size for side in window.x_0.shape[-2:])
    error = to_patches((guess - window.x_0)[..., :height, :width], size).double()
    found = torch.einsum("kc,bcthw->kbthw", model.patches.basis.flatten(1).double(), error)
    whole = to_patches(window.counted[..., :height, :width], size).amin(1) == 1.0  # (B, T, ., .)
    assert bool(whole.any())
    spread = model.patches.spread.double()
    terms = []
    for k in range(len(spread)):
        noise = model.sigma(window.t).double()[:, 0]  # (B, 1, 1, 1)
        c_out_squared = spread[k] ** 2 * noise**2 / (spread[k] ** 2 + noise**2)
        terms.append((found[k] ** 2 / c_out_squared * spread[k] / spread.mean())[whole].mean())
    expected = torch.stack(terms).mean()
    assert float(window_loss(model, window, DRAFT)) == pytest.approx(float(expected), rel=5e-3)
