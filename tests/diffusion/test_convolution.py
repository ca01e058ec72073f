"""Convolution: the same as torch's to rounding, and never by its slow path on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from infusion_engine.diffusion.convolution import _is_slow, convolve
from infusion_engine.diffusion.residual import INPUTS, LEVEL_CHANNELS, ResidualUNet

MKLDNN = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's own
KERNELS = [(3, 3, 3), (1, 3, 3), (1, 1, 1)]


def drawn(*size: int, seed: int = 0) -> Tensor:
    """Normal values that ask for gradients."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*size, generator=generator).requires_grad_()


@pytest.mark.parametrize("rows", [3, 4, 5, 9, 10, 41])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("biased", [True, False])
def test_halves_make_the_whole(
    rows: int, kernel: tuple[int, int, int], batch: int, biased: bool
) -> None:
    """Values and every gradient, at the rows where they meet as elsewhere."""
    x, kernels = drawn(batch, 5, 4, rows, 7), drawn(6, 5, *kernel, seed=1)
    bias = drawn(6, seed=2) if biased else None
    given = [t for t in (x, kernels, bias) if t is not None]
    padding = [size // 2 for size in kernel]
    pull = drawn(batch, 6, 4, rows, 7, seed=3).detach()

    halved = batch == 1 and rows >= 4 and kernel != (1, 1, 1) and MKLDNN
    assert _is_slow(x, kernels) == halved
    expected = F.conv3d(x, kernels, bias, padding=padding)
    slopes = torch.autograd.grad((expected * pull).sum(), given)
    found = convolve(x, kernels, bias, padding)
    own = torch.autograd.grad((found * pull).sum(), given)

    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for mine, theirs in zip(own, slopes, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.skipif(not MKLDNN, reason="this torch has but one path")
@pytest.mark.parametrize("channels_last", [True, False])
def test_a_crop_keeps_out_of_the_slow_path(channels_last: bool) -> None:
    """A training step of the network on one crop: forward and backward, at every size inside."""
    network = ResidualUNet(channels=32)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, INPUTS, 8, 40, 40)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        network(x, torch.randn(1, LEVEL_CHANNELS)).square().mean().backward()
    # Kernels of one voxel are a product of matrices either way.
    calls = [e for e in seen.key_averages(True) if "conv" in e.key and len(e.input_shapes) > 1]
    slow = [e.input_shapes[1] for e in calls if "slow_conv3d" in e.key]
    assert [kernel for kernel in slow if kernel[-3:] != [1, 1, 1]] == []
    assert sum(e.count for e in calls if e.key == "aten::mkldnn_convolution") >= 14
