"""The optimisers: who moves which weights, how far, and what is carried on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import Model, build, initialise
from infusion_engine.diffusion.residual import Convolution
from infusion_engine.settings import Optimiser, Schedule, Settings
from infusion_engine.training.optimise import Optimisers
from tests.decided import PRESETS

PAPER = replace(PRESETS["paper"], channels=4)
MUON = replace(PRESETS["draft"], channels=8)
ADAM = replace(MUON, optimiser=Optimiser.ADAM)
CARRIED = replace(MUON, schedule=Schedule.CONSTANT)
RATE = 0.01


def started(settings: Settings) -> Model:
    """A network as the first fit begins with it."""
    model = build(settings.network, channels=settings.channels)
    initialise(model, 0)
    return model


def gradients(model: Model, step: int) -> dict[str, Tensor]:
    """A gradient for each weight, another at every step, and larger in some rows than in others."""
    generator = torch.Generator().manual_seed(step)
    return {
        name: (torch.randn(p.shape, generator=generator).T * torch.linspace(1, 4, len(p))).T
        if p.ndim == 2
        else torch.randn(p.shape, generator=generator)
        for name, p in model.named_parameters()
    }


def loss_of(model: Model, step: int) -> Tensor:
    """A loss that has those gradients."""
    given = gradients(model, step)
    return torch.stack([(p * given[name]).sum() for name, p in model.named_parameters()]).sum()


def weights(model: Model) -> dict[str, Tensor]:
    """A copy of every weight by name."""
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def moved(settings: Settings, *, rate: float = RATE, steps: int = 1) -> dict[str, Tensor]:
    """How far each weight goes in a fresh optimiser's first steps."""
    model = started(settings)
    before = weights(model)
    optimisers = Optimisers(model, settings)
    for step in range(steps):
        optimisers.step(loss_of(model, step), rate)
    return {name: after - before[name] for name, after in weights(model).items()}


def matrices(model: Model) -> set[str]:
    """Names of the convolutions' weights."""
    return {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, Convolution)}


def assert_same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    """Both hold the same bits under the same names."""
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def test_muon_has_the_convolutions_and_adam_the_rest() -> None:
    """Told by what each remembers: a momentum, or two moments. No weight has both or neither."""
    model = started(MUON)
    optimisers = Optimisers(model, MUON)
    optimisers.step(loss_of(model, 0), RATE)
    parts: dict[str, set[str]] = {}
    for key in optimisers.state():
        name, _, part = key.rpartition(".")
        parts.setdefault(part, set()).add(name)
    names = {name for name, _ in model.named_parameters()}
    assert matrices(model)
    assert names - matrices(model)
    assert parts == {
        "momentum_buffer": matrices(model),
        **dict.fromkeys(("step", "exp_avg", "exp_avg_sq"), names - matrices(model)),
    }


def test_muon_steps_are_orthogonal_and_adam_steps_go_by_sign() -> None:
    """A matrix moves alike in all directions that it has; every other weight by the rate."""
    model = started(MUON)
    given = gradients(model, 0)
    for name, delta in moved(MUON).items():
        if name in matrices(model):
            sizes = torch.linalg.svdvals(delta)
            assert float(sizes.max()) < 2.0 * float(sizes.min()), name
            raw = torch.linalg.svdvals(given[name])  # the gradient itself is far from that
            assert float(raw.max()) > 2.5 * float(raw.min()), name
            assert float((delta * given[name]).sum()) < 0.0, name
        else:
            assert torch.allclose(delta, -RATE * given[name].sign(), rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("rate", [1e-3, 1e-2])
def test_a_rate_moves_weights_as_far_under_either(rate: float) -> None:
    """The root mean square of a Muon step is about the rate, whatever the matrix's shape."""
    change, names = moved(MUON, rate=rate), matrices(started(MUON))
    shapes = {tuple(change[name].shape) for name in names}
    assert len({rows < columns / 8 for rows, columns in shapes}) == 2  # squarish and wide ones
    for name, delta in change.items():
        size = float(delta.pow(2).mean().sqrt())
        assert size == pytest.approx(rate, rel=0.3), name


@pytest.mark.parametrize("settings", [ADAM, PAPER], ids=["ours", "paper"])
@pytest.mark.parametrize(
    ("schedule", "forgetting"), [(Schedule.CONSTANT, 0.999), (Schedule.WARMUP_COSINE, 0.99)]
)
def test_adam_alone_moves_every_weight(
    settings: Settings, schedule: Schedule, forgetting: float
) -> None:
    """As in the paper by Kingma and Ba, step by step; with a cosine it forgets sooner."""
    settings = replace(settings, schedule=schedule)
    given = [gradients(started(settings), step) for step in range(3)]
    for name, values in moved(settings, steps=3).items():
        first = second = total = torch.zeros_like(values, dtype=torch.float64)
        for step in range(3):
            gradient = given[step][name].double()
            first = 0.9 * first + 0.1 * gradient
            second = forgetting * second + (1 - forgetting) * gradient**2
            unbiased = second / (1 - forgetting ** (step + 1))
            total = total - RATE * first / (1 - 0.9 ** (step + 1)) / (unbiased.sqrt() + 1e-8)
        assert torch.allclose(values.double(), total, rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("settings", [PAPER, ADAM, MUON], ids=["paper", "adam", "muon"])
def test_the_rate_of_the_step_is_the_one_that_holds(settings: Settings) -> None:
    """Not the preset's: none moves nothing, and at twice the rate all go twice as far."""
    assert not any(bool(delta.any()) for delta in moved(settings, rate=0.0).values())
    once, twice = moved(settings, rate=RATE), moved(settings, rate=2 * RATE)
    for name, delta in once.items():
        assert torch.allclose(2 * delta, twice[name], rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize(
    "settings", [PAPER, ADAM, MUON, CARRIED], ids=["paper", "adam", "muon", "carried"]
)
def test_going_on_from_a_state_equals_never_having_stopped(settings: Settings) -> None:
    """A new optimiser over a copy of the weights takes the very same next steps."""
    model = started(settings)
    optimisers = Optimisers(model, settings)
    for step in range(2):
        optimisers.step(loss_of(model, step), RATE)
    state, there = optimisers.state(), weights(model)

    copied = started(settings)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            parameter.copy_(there[name])
    resumed = Optimisers(copied, settings)
    resumed.restore(state)
    assert_same(resumed.state(), state)
    for step in range(2, 5):
        optimisers.step(loss_of(model, step), RATE)
        resumed.step(loss_of(copied, step), RATE)
    assert_same(weights(copied), weights(model))
    assert_same(resumed.state(), optimisers.state())

    # Without the state the next steps are others.
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            parameter.copy_(there[name])
    forgetful = Optimisers(copied, settings)
    for step in range(2, 5):
        forgetful.step(loss_of(copied, step), RATE)
    afresh = weights(copied)
    assert all(not torch.equal(afresh[name], w) for name, w in weights(model).items())


@pytest.mark.parametrize("settings", [PAPER, CARRIED], ids=["paper", "muon"])
def test_a_state_is_a_copy(settings: Settings) -> None:
    """Later steps change neither what was told nor what was carried in."""
    model = started(settings)
    optimisers = Optimisers(model, settings)
    optimisers.step(loss_of(model, 0), RATE)
    told = optimisers.state()
    kept = {key: value.clone() for key, value in told.items()}
    optimisers.step(loss_of(model, 1), RATE)
    assert_same(told, kept)
    other = Optimisers(model, settings)
    other.restore(told)
    other.step(loss_of(model, 2), RATE)
    assert_same(told, kept)
    assert all(value.dtype == torch.float32 for value in told.values())
