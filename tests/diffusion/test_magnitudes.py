"""The network's pieces: they keep the magnitude of what they are given."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.plain_network import blend, plain_network, silu
from infusion_engine.diffusion.denoise import precise
from infusion_engine.diffusion.residual import (
    INPUTS,
    LEVEL_CHANNELS,
    Convolution,
    ResidualUNet,
    normalised,
)
from infusion_engine.settings import Precision


@pytest.mark.parametrize("kernel", [(1, 1, 1), (1, 3, 3), (3, 3, 3)])
def test_a_convolution_s_matrix_is_its_kernels_row_by_row(kernel: tuple[int, int, int]) -> None:
    """One row per output, its columns in the order (inputs, T, H, W); the size is kept."""
    torch.manual_seed(0)
    convolution = Convolution(5, 7, kernel)
    assert convolution.weight.shape == (7, 5 * math.prod(kernel))
    kernels = torch.randn(7, 5, *kernel)
    x = torch.randn(2, 5, 4, 6, 6)
    with torch.no_grad():
        convolution.weight.copy_(kernels.flatten(1))
        found = convolution(x)
    kernels = kernels / kernels.pow(2).sum((1, 2, 3, 4), keepdim=True).sqrt()
    expected = F.conv3d(x, kernels, padding=[size // 2 for size in kernel])
    assert found.shape == (2, 7, 4, 6, 6)
    assert torch.allclose(found, expected, atol=1e-5)


def test_magnitudes_are_kept() -> None:
    """Convolutions, SiLU and weighted sums give unit deviation for unit deviation."""
    torch.manual_seed(0)
    x = torch.randn(1, 16, 6, 20, 20)
    convolution = Convolution(16, 32, (3, 3, 3))
    with torch.no_grad():
        convolution.weight.normal_(0.0, 17.0)
        y = convolution(x)[..., 1:-1, 1:-1, 1:-1]
    assert float(y.std()) == pytest.approx(1.0, abs=0.15)
    assert float(silu(torch.randn(100_000)).pow(2).mean()) == pytest.approx(1.0, abs=0.02)
    mixed = blend(torch.randn(100_000), torch.randn(100_000))
    assert float(mixed.std()) == pytest.approx(1.0, abs=0.01)


def test_normalised_weights_have_unit_mean_square() -> None:
    """Per output channel, whatever their size was; their direction is kept."""
    torch.manual_seed(0)
    weight = torch.randn(5, 7 * 27) * torch.tensor([1e-3, 0.1, 1.0, 10.0, 1e3])[:, None]
    found = normalised(weight)
    assert torch.allclose(found.pow(2).mean(1), torch.ones(5), rtol=1e-3)
    assert torch.allclose(normalised(found), found, rtol=1e-4)
    cosine = torch.cosine_similarity(found, weight)
    assert torch.allclose(cosine, torch.ones(5), atol=1e-5)


def out(found: Tensor, expected: Tensor) -> float:
    """How far `found` is out, as a part of what is expected."""
    return float((found - expected).norm().detach() / expected.norm().detach())


def network() -> ResidualUNet:
    """A network whose every weight has a say."""
    torch.manual_seed(0)
    found = ResidualUNet(channels=8)
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter)
    return found


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("rows", [8, 20])
def test_fewer_passes_say_what_the_equations_say(batch: int, rows: int) -> None:
    """To rounding, with and without gradients; 20 rows have an odd number at a quarter."""
    ours = network()
    x, level = torch.randn(batch, INPUTS, 3, rows, 12), torch.randn(batch, LEVEL_CHANNELS)

    expected = plain_network(ours, x, level)
    found = ours(x, level)
    with torch.no_grad():
        sampled = ours(x, level)

    assert found.shape == (batch, 3, 3, rows, 12)
    assert out(found, expected) < 1e-5
    assert out(sampled, expected) < 1e-5
    names, weights = zip(*ours.named_parameters(), strict=True)
    gradients = torch.autograd.grad(found.square().mean(), weights)
    wanted = torch.autograd.grad(expected.square().mean(), weights)
    for name, one, other in zip(names, gradients, wanted, strict=True):
        assert out(one, other) < 1e-4, name


def test_fewer_passes_are_no_further_from_float32() -> None:
    """In bfloat16 both ways are out by rounding, and ours by no more than the equations'."""
    ours = network()
    x = torch.randn(1, INPUTS, 3, 8, 12).to(memory_format=torch.channels_last_3d)
    level = torch.randn(1, LEVEL_CHANNELS)
    with torch.no_grad():
        exact = plain_network(ours, x, level)
        with precise(Precision.BF16, x.device):
            plain, found = plain_network(ours, x, level), ours(x, level)

    assert found.dtype == plain.dtype == torch.bfloat16
    assert out(found.float(), exact) < 1.2 * out(plain.float(), exact) < 0.1
