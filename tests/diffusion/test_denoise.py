"""Networks are built by name and begin from weights that are the same everywhere."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from infusion_engine.diffusion.denoise import (
    Model,
    build,
    initialise,
    load_state,
    precise,
    state_of,
)
from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.residual import Convolution, Gauge, ResidualDenoiser
from infusion_engine.diffusion.unet import PublishedUNet
from infusion_engine.settings import Network, Precision

NETWORKS = list(Network)


@pytest.mark.parametrize(
    ("network", "kind"),
    [(Network.PUBLISHED, PublishedUNet), (Network.RESIDUAL, ResidualDenoiser)],
)
def test_a_network_is_built_by_name(network: Network, kind: type[nn.Module]) -> None:
    """Each setting has its network."""
    assert type(build(network, channels=8)) is kind


@pytest.mark.parametrize("network", NETWORKS)
def test_starting_weights_are_a_function_of_the_fit_seed(network: Network) -> None:
    """The same seed gives the same bits whatever torch's own generator does; another does not."""

    def start(fit_seed: int, torch_seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(torch_seed)
        model = build(network, channels=8)
        initialise(model, fit_seed)
        return dict(model.named_parameters())

    first, again, other = start(0, 1), start(0, 2), start(1, 1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(bool(torch.isfinite(p).all()) for p in first.values())


def test_the_published_network_starts_as_torch_starts_it() -> None:
    """Uniform within 1 / sqrt(fan-in), weights and biases alike."""
    model = PublishedUNet()
    initialise(model, 0)
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            assert module.bias is not None
            bound = 1 / math.sqrt(module.weight[0].numel())
            for parameter in (module.weight, module.bias):
                assert float(parameter.detach().abs().max()) <= bound
            values = module.weight.detach().flatten() / bound
            count = len(values)
            assert abs(float(values.mean())) < 4.5 * (1 / 3 / count) ** 0.5
            assert float(values.pow(2).mean()) == pytest.approx(1 / 3, abs=4.5 * 0.3 / count**0.5)


def test_no_two_layers_start_alike() -> None:
    """Each weight's noise has a key of its own."""
    model = PublishedUNet(channels=8)
    initialise(model, 0)
    starts = [p.detach().flatten()[:8] for p in model.parameters()]
    assert len({tuple(s.tolist()) for s in starts}) == len(starts)


def test_our_network_starts_with_unit_weights_and_a_silent_last_layer() -> None:
    """So that it begins as the Wiener filter, and every convolution keeps its input's size."""
    model = build(Network.RESIDUAL, channels=8)
    assert isinstance(model, ResidualDenoiser)
    initialise(model, 0)
    assert not model.network.last.weight.any()
    assert model.network.last.bias is not None
    assert not model.network.last.bias.any()
    weights = [m.weight.detach() for m in model.modules() if isinstance(m, Convolution)]
    assert float(torch.cat([w.flatten() for w in weights]).std()) == pytest.approx(1.0, abs=0.02)


def used(network: Network, fit_seed: int) -> Model:
    """A network that is no longer as it was built, its gauge included."""
    model = build(network, channels=8)
    initialise(model, fit_seed)
    if isinstance(model, ResidualDenoiser):
        deviation, spread, moving, unseen = torch.tensor([0.7, 0.09, 0.4, 0.002])
        model.gauge = Gauge(
            mean=torch.tensor([0.1, -0.2, 0.3]),
            deviation=deviation,
            spread=spread,
            moving=moving,
            unseen=unseen,
            axes=torch.eye(3).roll(1, 0),
            shares=torch.tensor([1.0, 0.5, 0.3]),
        )
        torch.manual_seed(fit_seed)
        with torch.no_grad():  # so that what the network is shown, in gauged sizes, has a say
            model.network.last.weight.normal_(0.0, 0.1)
    return model.eval()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_s_state_is_all_that_it_is(network: Network) -> None:
    """Loaded into another model: the same predictions, bit for bit."""
    model, other = used(network, 1), build(network, channels=8).eval()
    load_state(other, state_of(model))
    torch.manual_seed(0)
    x_t, known, guess = torch.randn(3, 1, 3, 2, 32, 32)
    hole = torch.ones(1, 1, 2, 32, 32)
    hole[..., :16] = 0.0
    with torch.no_grad():
        asked = (x_t, known, hole, bare(guess), torch.tensor([300]))
        assert torch.equal(model(*asked), other(*asked))
    again = state_of(other)
    assert all(torch.equal(value, again[name]) for name, value in state_of(model).items())


def test_a_start_knows_nothing_of_another_fit() -> None:
    """Its gauge neither: where a first fit is lost and made again, it comes out as it was."""
    model = used(Network.RESIDUAL, 1)
    initialise(model, 2)
    fresh = build(Network.RESIDUAL, channels=8)
    initialise(fresh, 2)
    started, expected = state_of(model), state_of(fresh)
    assert [name for name in expected if not torch.equal(started[name], expected[name])] == []


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_s_state_is_apart_from_its_memory(network: Network) -> None:
    """Fitting on does not change what was taken before."""
    model = used(network, 1)
    state = state_of(model)
    before = {name: value.clone() for name, value in state.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in state.items())


def test_the_gauge_is_part_of_the_state() -> None:
    """Every number by which the shot's values are made unit values, as float32 on the CPU."""
    state = state_of(used(Network.RESIDUAL, 1))
    gauge = {name: value for name, value in state.items() if name.startswith("gauge.")}
    assert gauge.pop("gauge.mean").tolist() == pytest.approx([0.1, -0.2, 0.3])
    assert gauge.pop("gauge.axes").tolist() == torch.eye(3).roll(1, 0).tolist()
    assert gauge.pop("gauge.shares").tolist() == pytest.approx([1.0, 0.5, 0.3])
    sizes = {"deviation": 0.7, "spread": 0.09, "moving": 0.4, "unseen": 0.002}
    assert {k: float(v) for k, v in gauge.items()} == {
        f"gauge.{k}": pytest.approx(v) for k, v in sizes.items()
    }
    assert all(value.dtype is torch.float32 for value in state.values())


def test_predictions_are_float32_whatever_convolutions_compute_in() -> None:
    """What a sample is carried on by keeps its digits, and is the same but for bf16's own."""
    model = used(Network.RESIDUAL, 1)
    torch.manual_seed(0)
    x_t, known, guess = torch.randn(3, 1, 3, 2, 16, 16)
    hole, t = torch.ones(1, 1, 2, 16, 16), torch.tensor([300])
    with torch.no_grad():
        exact = model(x_t, known, hole, bare(guess), t)
        with precise(Precision.BF16, torch.device("cpu")):
            short = model(x_t, known, hole, bare(guess), t)
    assert short.dtype is torch.float32
    assert not torch.equal(short, exact)
    assert torch.allclose(short, exact, atol=0.02)


@pytest.mark.parametrize(
    ("precision", "dtype"), [(Precision.FP32, torch.float32), (Precision.BF16, torch.bfloat16)]
)
def test_precision_is_the_convolutions_own(precision: Precision, dtype: torch.dtype) -> None:
    """The context sets what convolutions compute in; weights stay float32."""
    layer = nn.Conv3d(1, 1, 1)
    with precise(precision, torch.device("cpu")):
        assert layer(torch.zeros(1, 1, 1, 1, 1)).dtype is dtype
    assert layer.weight.dtype is torch.float32
