"""Counting operations: of a convolution whose number is known, and of the workbench's network."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv3d

from benchmarks.flops import counted, product_flops
from benchmarks.workbench import Workbench
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS

VOXELS, INPUTS, OUTPUTS, KERNEL = 2 * 8 * 8, 3, 4, 27
ONE_WAY = 2 * VOXELS * INPUTS * OUTPUTS * KERNEL
"""A multiplication and an addition for each voxel, input, output and kernel position."""


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_convolution_forward(precision: torch.dtype) -> None:
    """As many as can be counted by hand, whatever the precision."""
    x = torch.randn(1, INPUTS, 2, 8, 8).to(precision)
    weight = torch.randn(OUTPUTS, INPUTS, 3, 3, 3).to(precision)

    assert counted(lambda: conv3d(x, weight, padding=1)) == ONE_WAY


def test_a_convolution_forward_and_backward() -> None:
    """As many again for the gradient of the weights, and as many for that of the input."""
    x = torch.randn(1, INPUTS, 2, 8, 8, requires_grad=True)
    weight = torch.randn(OUTPUTS, INPUTS, 3, 3, 3, requires_grad=True)

    def both_ways() -> None:
        torch.autograd.backward(conv3d(x, weight, padding=1).sum())

    assert counted(both_ways) == 3 * ONE_WAY


def test_a_matrix_product() -> None:
    """The formula that peaks are made of is what is counted."""
    a, b = torch.randn(2, 24, 24)

    assert counted(lambda: a @ b) == product_flops(24)


def test_the_networks_operations_go_by_its_window() -> None:
    """Twice the windows in a batch are twice the work, and a step is more than an evaluation.

    Of two windows and of four: on a CPU one alone may be convolved in another way than several.
    """
    settings = overridden(PRESETS["draft"], {"channels": "4", "crop_pixels": "16", "batch": "2"})
    clip, device = (2, 16, 16), torch.device("cpu")
    one = Workbench(settings, clip, device)
    two = Workbench(overridden(settings, {"batch": "4"}), clip, device)

    # Weights are normalised once for a batch; that is matrices' work, but no product.
    assert two.step_flops() == pytest.approx(2 * one.step_flops(), rel=0.01)
    window = one.step_flops() / 2
    assert 2 * one.evaluation_flops() < window < 4 * one.evaluation_flops()
