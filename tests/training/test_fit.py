"""Fitting: the learning rate, the average, the gauge, and the same bits from the same start."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from infusion_engine.diffusion.denoise import Model, build, initialise, load_state, state_of
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.interval import Interval, intervals
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.residual import Convolution, Gauge, ResidualDenoiser, plain_gauge
from infusion_engine.diffusion.unet import PublishedUNet
from infusion_engine.errors import FitError
from infusion_engine.settings import Optimiser, Precision, Schedule, Settings
from infusion_engine.training.fit import (
    FitState,
    fit_interval,
    learning_rate,
    normalise_weights,
    window_loss,
)
from infusion_engine.training.gauge import measured
from infusion_engine.training.ground import Ground, lay_ground
from infusion_engine.training.window import draw_window
from tests.decided import PRESETS

SHAPE = (4, 32, 32)
PAPER = replace(PRESETS["paper"], channels=4, window_frames=3, steps_per_interval=4)
DRAFT = replace(PRESETS["draft"], channels=8, window_frames=3, crop_pixels=16, steps_per_interval=4)
CARRIED = replace(DRAFT, schedule=Schedule.CONSTANT)
BOTH = pytest.mark.parametrize("settings", [PAPER, DRAFT], ids=["paper", "draft"])


def ignore(step: int, loss: float) -> None:
    """Nobody watches."""


def matte() -> Tensor:
    """(1, T, H, W): a block."""
    return torch.nn.functional.pad(torch.ones(1, SHAPE[0], 18, 19), (3, 10, 5, 9))


def clip() -> Tensor:
    """(3, T, H, W), 0 under the matte."""
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.randn(1, 3, 4, 4, 4), scale_factor=(1, 8, 8))[0]
    return (0.4 * smooth + 0.05 * torch.randn(3, *SHAPE)) * (1 - matte())


def ground(settings: Settings, *, level: int = 0, x_0: Tensor | None = None) -> Ground:
    """What a fit of the clip learns from."""
    x_0 = clip() if x_0 is None else x_0
    return lay_ground(PyramidLevel(x_0=x_0, hole=matte()), level, settings)


def started(settings: Settings) -> Model:
    """A network as the first fit begins with it."""
    model = build(settings.network, channels=settings.channels)
    initialise(model, 0)
    return model


def fit(
    model: Model,
    settings: Settings,
    *,
    index: int = 0,
    interval: Interval | None = None,
    carried: Mapping[str, Tensor] | None = None,
    fit_seed: int = 0,
    on: Ground | None = None,
    on_step: Callable[[int, float], None] = ignore,
) -> FitState:
    """Fit one interval of the clip, or of other ground."""
    return fit_interval(
        model,
        on or ground(settings),
        settings=settings,
        interval=interval or intervals(settings.intervals, settings.spacing)[index],
        fit_seed=fit_seed,
        carried=carried or {},
        on_step=on_step,
    )


def assert_same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    """Both hold the same bits under the same names."""
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


@BOTH
def test_a_fit_from_the_same_weights_gives_the_same_bits(settings: Settings) -> None:
    """Twice, with torch's own generator in different states; another fit seed differs."""
    torch.manual_seed(1)
    first = fit(started(settings), settings)
    torch.manual_seed(2)
    again = fit(started(settings), settings)
    assert_same(first.model, again.model)
    assert_same(first.optimiser, again.optimiser)
    assert first.loss == again.loss
    other = fit(started(settings), settings, fit_seed=1)
    assert any(not torch.equal(first.model[k], other.model[k]) for k in first.model)


@pytest.mark.parametrize(
    "settings", [PAPER, DRAFT, CARRIED], ids=["paper", "draft", "muon, carried"]
)
def test_going_on_from_files_equals_never_having_stopped(
    settings: Settings, tmp_path: Path
) -> None:
    """Intervals 0 and 1 in one process, and 0, saved, loaded into a new network, 1: same bits."""
    model = started(settings)
    zeroth = fit(model, settings)
    save_file(dict(zeroth.model), tmp_path / "model.safetensors")
    save_file(dict(zeroth.optimiser), tmp_path / "optimiser.safetensors")
    undisturbed = fit(model, settings, index=1, carried=zeroth.optimiser)

    resumed = started(settings)
    load_state(resumed, load_file(tmp_path / "model.safetensors"))
    carried = load_file(tmp_path / "optimiser.safetensors")
    after = fit(resumed, settings, index=1, carried=carried)
    assert_same(after.model, undisturbed.model)
    assert_same(after.optimiser, undisturbed.optimiser)


def test_the_published_optimiser_goes_on_from_interval_to_interval() -> None:
    """Adam's moments and step count are left behind, and a fit without them differs."""
    model = started(PAPER)
    zeroth = fit(model, PAPER)
    names = [name for name, _ in model.named_parameters()]
    parts = ("step", "exp_avg", "exp_avg_sq")
    assert set(zeroth.optimiser) == {f"{name}.{part}" for name in names for part in parts}
    first = fit(model, PAPER, index=1, carried=zeroth.optimiser)
    assert {int(v) for k, v in first.optimiser.items() if k.endswith(".step")} == {8}
    afresh = started(PAPER)
    load_state(afresh, zeroth.model)
    assert not torch.equal(
        fit(afresh, PAPER, index=1).model["weights.last.weight"], first.model["weights.last.weight"]
    )


def test_our_optimiser_starts_afresh() -> None:
    """Nothing of it is left behind, so that nothing of it need be kept."""
    assert fit(started(DRAFT), DRAFT).optimiser == {}


@BOTH
def test_what_a_fit_leaves_behind_is_the_model(settings: Settings) -> None:
    """The state holds all of it, on the CPU, apart from the model's own memory."""
    model = started(settings)
    state = fit(model, settings)
    assert_same(state.model, state_of(model))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert any(bool(v.any()) for v in state.model.values())


@BOTH
def test_fitting_learns(settings: Settings) -> None:
    """After some steps the loss on windows never seen is lower than before."""
    span = intervals(settings.intervals, settings.spacing)[settings.intervals // 2]
    settings = replace(settings, learning_rate=5e-3)

    def unseen(model: Model) -> float:
        windows = (
            draw_window(ground(settings), settings=settings, interval=span, fit_seed=0, step=step)
            for step in range(1000, 1010)
        )
        with torch.no_grad():
            return sum(float(window_loss(model, window, settings)) for window in windows)

    def fitted(steps: int) -> Model:
        model = started(settings)
        fit(model, replace(settings, steps_per_interval=steps), interval=span)
        return model

    assert unseen(fitted(40)) < unseen(fitted(1))


def test_windows_of_two_frames_are_learnt_from() -> None:
    """Their bfloat16 gradients are in part memory that nobody wrote, on some processors."""
    settings = replace(DRAFT, window_frames=2)
    model, where = started(settings), ground(settings)
    span = intervals(settings.intervals, settings.spacing)[0]
    window = draw_window(where, settings=settings, interval=span, fit_seed=0, step=0)
    with torch.no_grad():  # a last layer of zeros would keep every gradient but its own at nothing
        model.get_parameter("network.last.weight").normal_()
    gradients = []
    for precision in (Precision.FP32, Precision.BF16):
        model.zero_grad()
        freed = [torch.full((n,), math.nan) for n in (10**3, 10**4, 10**5, 10**6)]
        del freed  # what nobody writes is no number
        loss = window_loss(model, window, replace(settings, precision=precision))
        torch.autograd.backward([loss])
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for exact, found in zip(*gradients, strict=True):
        assert torch.allclose(found, exact, rtol=0.1, atol=0.02 * float(exact.abs().max()))


def test_a_fit_that_diverges_is_no_fit() -> None:
    """It says which one and what to do, and nothing is sampled from it."""
    settings = replace(DRAFT, learning_rate=1e30, optimiser=Optimiser.ADAM)
    with pytest.raises(FitError, match=r"level 0 diverged: after \d of 4 steps its loss or"):
        fit(started(settings), settings)


def test_a_last_step_that_diverges_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No loss comes after it that could say so."""

    def ruined(model: Model) -> None:
        model.get_parameter("network.last.bias").data.fill_(math.inf)

    monkeypatch.setattr("infusion_engine.training.fit.normalise_weights", ruined)
    settings = replace(DRAFT, steps_per_interval=1)
    with pytest.raises(FitError, match="level 0 diverged: after all steps its loss or a weight"):
        fit(started(settings), settings)


@BOTH
def test_every_step_is_told_and_may_stop_the_fit(settings: Settings) -> None:
    """on_step hears 1, 2, ... with the running loss, and what it raises ends the fit."""
    heard: list[int] = []

    def stop(step: int, loss: float) -> None:
        assert math.isfinite(loss)
        heard.append(step)
        if step == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(started(settings), settings, on_step=stop)
    assert heard == [1, 2, 3]


def test_the_published_learning_rate_is_constant() -> None:
    """1e-4 at every step."""
    settings = PRESETS["paper"]
    assert {learning_rate(settings, step) for step in (0, 1, 5000, 9999)} == {1e-4}


def test_our_learning_rate_rises_then_falls_to_nothing() -> None:
    """A linear rise over the first steps, then half a cosine, the same shape for any length."""
    for steps in (20, 300, 4000):
        settings = replace(PRESETS["draft"], steps_per_interval=steps, learning_rate=0.01)
        assert settings.schedule is Schedule.WARMUP_COSINE
        rates = [learning_rate(settings, step) for step in range(steps)]
        top = rates.index(max(rates))
        assert rates[: top + 1] == sorted(rates[: top + 1])
        assert rates[top:] == sorted(rates[top:], reverse=True)
        assert top < 0.1 * steps
        assert 0.95 * 0.01 < max(rates) <= 0.01
        assert 0.0 < rates[0] <= 0.01
        assert 0.0 < rates[-1] < 0.01 * 0.03
        assert rates[steps // 2] == pytest.approx(0.005, rel=0.01)


def test_no_average_keeps_the_last_weights() -> None:
    """With ema = 0 what is left is what the last step made."""
    kept = fit(started(DRAFT), replace(DRAFT, ema=0.0))
    averaged = fit(started(DRAFT), replace(DRAFT, ema=0.5))
    assert not torch.equal(
        kept.model["weights.network.last.weight"], averaged.model["weights.network.last.weight"]
    )


def test_the_average_is_over_the_end_of_the_interval() -> None:
    """An exponential average with a length of `ema` times the steps, started at the start."""
    settings = replace(DRAFT, ema=0.5)
    name = "network.last.weight"
    model = started(settings)
    expected = model.get_parameter(name).detach().clone().double()
    decay = math.exp(-1.0 / (0.5 * settings.steps_per_interval))
    seen: list[Tensor] = []

    def on_step(step: int, loss: float) -> None:
        seen.append(model.get_parameter(name).detach().clone())

    state = fit(model, settings, on_step=on_step)
    for weight in seen:
        expected = decay * expected + (1 - decay) * weight
    assert torch.allclose(state.model[f"weights.{name}"].double(), expected, rtol=1e-4, atol=1e-8)


def test_normalised_weights_keep_their_size() -> None:
    """After every step each output channel has unit mean square; other weights are untouched."""
    model = started(DRAFT)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0).add_(0.01)
    others = {
        name: p.detach().clone()
        for name, p in model.named_parameters()
        if not isinstance(model.get_submodule(name.rpartition(".")[0]), Convolution)
    }
    normalise_weights(model)
    convolutions = [m for m in model.modules() if isinstance(m, Convolution)]
    assert convolutions
    for module in convolutions:
        size = module.weight.detach().pow(2).mean(1)
        assert torch.allclose(size, torch.ones_like(size), rtol=1e-3)
    assert all(torch.equal(model.get_parameter(name), p) for name, p in others.items())
    # The published network has none: it is left alone.
    published: nn.Module = started(PAPER)
    assert not any(isinstance(m, Convolution) for m in published.modules())


def test_optimiser_state_that_is_carried_is_not_changed() -> None:
    """The caller's tensors stay what they were: the same fit can be started from them again."""
    model = started(PAPER)
    zeroth = fit(model, PAPER)
    before = {k: v.clone() for k, v in zeroth.optimiser.items()}
    fit(model, PAPER, index=1, carried=zeroth.optimiser)
    assert_same(zeroth.optimiser, before)


def test_weights_are_put_back_on_their_sphere_at_every_step() -> None:
    """They do not grow as the fit goes on."""
    model = started(DRAFT)

    def on_step(step: int, loss: float) -> None:
        for module in model.modules():
            if isinstance(module, Convolution):
                size = module.weight.detach().pow(2).mean(1)
                assert torch.allclose(size, torch.ones_like(size), rtol=1e-4)

    fit(model, DRAFT, on_step=on_step)


@pytest.mark.parametrize("level", [0, 1])
def test_a_fit_takes_the_level_s_own_gauge(level: int) -> None:
    """Every interval of a level has the same."""
    here = ground(DRAFT, level=level)
    expected = measured(here, settings=DRAFT, fit_seed=0, before=plain_gauge())
    for index in (0, DRAFT.intervals - 1):
        model = started(DRAFT)
        state = fit(model, replace(DRAFT, steps_per_interval=1), index=index, on=here)
        for f in fields(Gauge):
            assert torch.equal(state.model[f"gauge.{f.name}"], getattr(expected, f.name))
    other = measured(ground(DRAFT, level=1 - level), settings=DRAFT, fit_seed=0)
    assert not torch.equal(other.spread, expected.spread)


@pytest.mark.parametrize("extreme", [1e6, -1e6])
@pytest.mark.parametrize("level", [0, 1])
def test_nothing_under_the_matte_has_a_say(level: int, extreme: float) -> None:
    """Whatever stands there, the fitted network has the same bits."""
    poisoned = torch.where(matte() == 1.0, extreme, clip())
    clean = fit(started(DRAFT), DRAFT, on=ground(DRAFT, level=level))
    dirty = fit(started(DRAFT), DRAFT, on=ground(DRAFT, level=level, x_0=poisoned))
    assert_same(clean.model, dirty.model)
    assert clean.loss == dirty.loss


class PublishedWatch(PublishedUNet):
    """Remembers what it is shown."""

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        self.shown = x_t
        return super().forward(x_t, conditioning, hole, hint, t)


class ResidualWatch(ResidualDenoiser):
    """Remembers what it is shown."""

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        self.shown = x_t
        return super().forward(x_t, conditioning, hole, hint, t)


@pytest.mark.parametrize(
    ("model", "settings", "under"),
    [(PublishedWatch(channels=4), PAPER, 0.0), (ResidualWatch(channels=8), DRAFT, 0.5)],
    ids=["paper", "draft"],
)
def test_others_learn_beside_a_rough_fill(
    model: PublishedWatch | ResidualWatch, settings: Settings, under: float
) -> None:
    """Under the matte there is grey as published, or with ours what the plate suggests."""
    initialise(model, 0)
    settings = replace(settings, crop_pixels=0, steps_per_interval=1)
    grey = 0.5 * (1 - matte()).expand(3, *SHAPE)
    fit(model, settings, on=ground(settings, x_0=grey), interval=Interval(0, 0, 2))  # no noise
    expected = grey + under * matte()
    for shown in model.shown[:, :, 1]:  # the matte is the same in all frames
        assert float((shown - expected[:, 1]).abs().max()) < 0.2
