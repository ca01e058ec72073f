"""Likeness: what a fill that belongs to its plate has over one that does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.likeness import unlikeness
from infusion_engine.diffusion.patches import Patches
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.errors import Cancelled

pytestmark = pytest.mark.usefixtures("one_thread")


def waves() -> Tensor:
    """(3, T, H, W): waves that move."""
    t, y, x = torch.meshgrid(*(torch.arange(n) / 1.0 for n in (4, 28, 28)), indexing="ij")
    return torch.stack([torch.sin(x / 2.5 + t) * torch.cos(y / 3.5 + c) for c in range(3)])


HOLE = torch.zeros(1, 4, 28, 28)
HOLE[..., 10:18, 10:18] = 1.0


def patches() -> Patches:
    """Those of the waves outside the hole."""
    found = Patches.of(PyramidLevel(waves() * (1 - HOLE), HOLE), 1.0)
    assert found is not None
    return found


def far(fill: Tensor) -> float:
    """How unlike the waves a fill of the hole looks."""
    x_0 = torch.where(HOLE > 0, fill, waves())
    return unlikeness(x_0, HOLE, patches(), check=lambda: None)


def test_what_belongs_there_is_closest() -> None:
    """Waves that go on, then blurred ones, then nothing, then what the plate has nowhere."""
    blurred = torch.nn.functional.avg_pool3d(waves(), (1, 5, 5), stride=1, padding=(0, 2, 2))
    distances = [
        far(waves()), far(blurred), far(torch.zeros_like(waves())), far(2 + 0 * waves()),
    ]  # fmt: skip
    assert distances == sorted(distances)
    assert distances[0] < 0.6 * distances[1]


def test_a_jump_at_the_edge_counts_too() -> None:
    """Patches that hold some of the plate see whether the fill joins it."""
    shifted = waves().roll(4, -1)  # waves as good as any, which do not meet their neighbours
    assert far(shifted) > 2 * far(waves())


def test_the_same_fill_is_as_far_every_time() -> None:
    """Another process compares the same numbers."""
    noise = torch.randn(3, 4, 28, 28, generator=torch.Generator().manual_seed(1))
    assert far(noise) == far(noise)


def test_it_stops_when_asked_to() -> None:
    """A search over a large hole is no reason to wait."""

    def stop() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        unlikeness(waves(), HOLE, patches(), check=stop)
