"""Muon: steps along the nearest orthogonal matrix, for matrices of all shapes at once."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from infusion_engine.training.muon import Muon, orthogonal

SHAPES = [(8, 8), (8, 40), (40, 8), (16, 432), (1, 9), (5, 1)]
"""Square, wide and tall ones, and vectors."""
RATE, MOMENTUM = 0.01, 0.85


def matrices(seed: int = 0) -> list[Tensor]:
    """One of each shape; rows differ in size by a factor of four, matrices by a thousand."""
    generator = torch.Generator().manual_seed(seed)
    sizes = (1e-1, 1e2, 1.0, 1e1, 1e-1, 1e2)
    return [
        (torch.randn(shape, generator=generator).T * torch.linspace(1, 4, shape[0])).T * size
        for shape, size in zip(SHAPES, sizes, strict=True)
    ]


def parameters() -> list[nn.Parameter]:
    """A weight of each shape, the same at every call."""
    generator = torch.Generator().manual_seed(9)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def give(weights: list[nn.Parameter], step: int) -> None:
    """A gradient for each, another at every step."""
    for weight, gradient in zip(weights, matrices(step), strict=True):
        weight.grad = gradient.clone()


def test_singular_values_go_to_about_one_and_directions_are_kept() -> None:
    """Against the singular value decomposition, in double: whatever a matrix's size and shape."""
    given = matrices()
    for matrix, found in zip(given, orthogonal(given), strict=True):
        assert found.shape == matrix.shape
        left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
        turned = left.T @ found.double() @ right.T  # diagonal where the directions are the same
        sizes = turned.diagonal()
        assert float((turned - sizes.diag()).abs().max()) < 1e-2
        assert 0.65 < float(sizes.min()) <= float(sizes.max()) < 1.25
        expected = values / values.norm()
        for _ in range(5):  # the published quintic, on the singular values themselves
            expected = 3.4445 * expected - 4.7750 * expected**3 + 2.0315 * expected**5
        assert torch.allclose(sizes, expected, atol=1e-2)


def test_each_matrix_is_turned_as_if_it_were_alone() -> None:
    """What it is padded with for company has no say."""
    given = matrices()
    for matrix, found in zip(given, orthogonal(given), strict=True):
        assert torch.allclose(found, orthogonal([matrix])[0], atol=1e-4)


def test_a_matrix_of_nothing_stays_nothing() -> None:
    """No direction is invented, and nothing is divided by nothing."""
    nothing, other = orthogonal([torch.zeros(8, 40), torch.eye(4)])
    assert not nothing.any()
    assert bool(torch.isfinite(other).all())


def test_its_steps_are_those_of_torch_s_muon() -> None:
    """Scaled to the rate; torch turns in bfloat16, so that they agree to about its digits."""
    ours, theirs = parameters(), parameters()
    before = [weight.detach().clone() for weight in ours]
    muon = Muon(ours, lr=RATE, momentum=MOMENTUM)
    reference = torch.optim.Muon(
        theirs,
        lr=RATE * 5.0,  # which this way of adjusting it takes a fifth of
        momentum=MOMENTUM,
        weight_decay=0.0,
        adjust_lr_fn="match_rms_adamw",
    )
    for step in range(4):
        for weights, optimiser in ((ours, muon), (theirs, reference)):
            give(weights, step)
            optimiser.step()
        for start, a, b in zip(before, ours, theirs, strict=True):
            apart = torch.linalg.norm(a.detach() - b.detach())
            assert float(apart) < 0.03 * float(torch.linalg.norm(b.detach() - start)), a.shape


def test_momentum_is_nesterov_s() -> None:
    """M <- 0.85 M + 0.15 G; the step goes along 0.85 M + 0.15 G, with a mean square of the rate."""
    weights = parameters()
    muon = Muon(weights, lr=RATE, momentum=MOMENTUM)
    moments = [torch.zeros(shape) for shape in SHAPES]
    for step in range(3):
        before = [weight.detach().clone() for weight in weights]
        give(weights, step)
        muon.step()
        moments = [0.85 * m + 0.15 * g for m, g in zip(moments, matrices(step), strict=True)]
        ahead = [0.85 * m + 0.15 * g for m, g in zip(moments, matrices(step), strict=True)]
        for start, weight, turned in zip(before, weights, orthogonal(ahead), strict=True):
            expected = start - RATE * math.sqrt(max(weight.shape)) * turned
            assert torch.allclose(weight.detach(), expected, atol=1e-5)
            size = float((weight.detach() - start).pow(2).mean().sqrt())
            assert size == pytest.approx(RATE, rel=0.35)


def test_a_weight_without_a_gradient_is_left_alone() -> None:
    """The others take the steps that they would take anyhow; if none has one nothing happens."""
    weights, all_of_them = parameters(), parameters()
    before = [weight.detach().clone() for weight in weights]
    muon = Muon(weights, lr=RATE, momentum=MOMENTUM)
    muon.step()
    assert all(torch.equal(w, b) for w, b in zip(weights, before, strict=True))
    give(weights, 0)
    give(all_of_them, 0)
    weights[1].grad = None
    muon.step()
    Muon(all_of_them, lr=RATE, momentum=MOMENTUM).step()
    assert torch.equal(weights[1], before[1])
    for i in (0, 2, 3, 4, 5):
        assert torch.allclose(weights[i], all_of_them[i], atol=1e-6)
