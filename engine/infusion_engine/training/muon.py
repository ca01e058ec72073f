"""Muon: steps along the nearest orthogonal matrix to the momentum, for all matrices at once.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon). torch has the same optimiser, which
turns one matrix after another, and wide ones. A small network's step is then mostly waiting; here
all are turned together by their Gram matrices, which are no larger than a layer has channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the published quintic: singular values go to about 1 in five rounds."""
_ROUNDS = 5
_LEAST_SIZE = 1e-7


class Muon(torch.optim.Optimizer):
    """Momentum (Nesterov's), turned to the nearest orthogonal matrix.

    A step at rate r has a root mean square of r for each weight: as far as Adam moves it.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], *, lr: float, momentum: float) -> None:
        """`matrices` are two-dimensional, all on one device; lr is set anew before each step."""
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # gradients are at hand: no closure
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            matrices = [p for p in group["params"] if p.grad is not None]
            if not matrices:
                continue
            gradients = [p.grad for p in matrices]
            for matrix in matrices:
                if "momentum_buffer" not in self.state[matrix]:
                    self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
            moments = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
            torch._foreach_lerp_(moments, gradients, 1.0 - group["momentum"])
            pairs = zip(gradients, moments, strict=True)
            turned = orthogonal([g.lerp(m, group["momentum"]) for g, m in pairs])
            for matrix, direction in zip(matrices, turned, strict=True):
                # An orthogonal m x n matrix has a root mean square of 1 / sqrt(max(m, n)).
                matrix.add_(direction, alpha=-group["lr"] * math.sqrt(max(matrix.shape)))


def orthogonal(matrices: list[Tensor]) -> list[Tensor]:
    """Each matrix with its singular values brought to about 1 (0.7 to 1.2), directions kept.

    The rounds X <- a X + b (X X') X + c (X X')^2 X change X by a polynomial of its Gram matrix
    A = X X' alone, so that they are gone through with A, padded to the largest: zeros stay zeros.
    """
    flat = [m if m.shape[0] <= m.shape[1] else m.T for m in matrices]
    sizes = torch.stack([torch.linalg.matrix_norm(m) for m in flat]).clamp(min=_LEAST_SIZE)
    most = max(len(m) for m in flat)
    gram = flat[0].new_zeros(len(flat), most, most)
    for i, m in enumerate(flat):
        gram[i, : len(m), : len(m)] = m @ m.T
    gram /= sizes.square()[:, None, None]
    a, b, c = _NEWTON_SCHULZ
    whole = torch.eye(most, device=gram.device).expand_as(gram)
    polynomial = whole
    for _ in range(_ROUNDS):
        factor = a * whole + b * gram + c * (gram @ gram)
        polynomial = factor @ polynomial
        gram = factor @ gram @ factor
    polynomial = polynomial / sizes[:, None, None]
    turned = [polynomial[i, : len(m), : len(m)] @ m for i, m in enumerate(flat)]
    return [t if m.shape[0] <= m.shape[1] else t.T for t, m in zip(turned, matrices, strict=True)]
