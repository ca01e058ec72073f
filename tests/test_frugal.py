"""Keeping within a memory: pieces that fit, and smaller ones when the device has less after all."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.denoise import build
from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.residual import ResidualDenoiser
from infusion_engine.frugal import Frugal
from infusion_engine.progress import Report
from infusion_engine.settings import Network
from tests.decided import PRESETS

SETTINGS = replace(PRESETS["draft"], channels=4)
SHAPE = (24, 96, 300)


class Warned(Report):
    """Remembers what the user is warned of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def warn(self, message: str, remedy: str = "") -> None:
        self.told.append(f"{message} {remedy}")


class Small(ResidualDenoiser):
    """A device with room for so many voxels at a time."""

    room = 10**9
    words = "CUDA out of memory. Tried to allocate 2 GiB"
    asked: list[int]

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        """Never more than there is room for."""
        self.asked = [*getattr(self, "asked", []), hole.numel()]
        if hole.numel() > self.room:
            raise RuntimeError(self.words)
        return super().forward(x_t, conditioning, hole, hint, t)


def model() -> Small:
    """Weights that are all alike are as good as any here."""
    found = Small(channels=4)
    for parameter in found.parameters():
        parameter.data = torch.full(parameter.shape, 0.1)
    return found.eval()


def hole() -> Tensor:
    """(1, T, H, W), wide."""
    found = torch.zeros(1, *SHAPE)
    found[..., 30:60, 20:280] = 1.0
    return found


def predicted(denoiser: Frugal | ResidualDenoiser) -> Tensor:
    """What it says of some clip, in the hole."""
    torch.manual_seed(0)
    x = torch.randn(1, 3, *SHAPE)
    with torch.no_grad():
        said = denoiser(x, x * 0, hole()[None], bare(x * 0), torch.tensor([400]))
    return said[0][:, hole()[0] > 0]


def frugal(small: Small, report: Report, *, memory: int = 2**33, held: int = 0) -> Frugal:
    """Of this hole."""
    return Frugal(small, hole(), SETTINGS, memory=memory, held=held, report=report)


def test_pieces_fit_what_is_not_held() -> None:
    """A voxel takes 256 bytes with four features in bfloat16."""
    report = Warned()
    for memory, held in ((120 * 2**20, 0), (200 * 2**20, 80 * 2**20)):
        small = model()
        predicted(frugal(small, report, memory=memory, held=held))
        assert max(small.asked) * 256 <= memory - held
        assert len(small.asked) > 1
    assert not report.told


def test_a_device_with_less_room_gets_smaller_pieces_and_the_user_a_warning() -> None:
    """And the prediction is the same."""
    report, small = Warned(), model()
    small.room = 400_000
    assert hole().numel() > small.room
    assert torch.allclose(predicted(frugal(small, report)), predicted(build_like(small)), atol=1e-4)
    assert len(report.told) == 1
    assert "ran out of memory" in report.told[0]
    assert "Give --memory " in report.told[0]


def build_like(small: Small) -> ResidualDenoiser:
    """The same weights on a device with room for everything."""
    found = build(Network.RESIDUAL, channels=4)
    assert isinstance(found, ResidualDenoiser)
    found.load_state_dict(small.state_dict())
    return found.eval()


def test_where_no_piece_is_small_enough_the_device_s_error_comes_out() -> None:
    """It is told as one plain message further up."""
    small = model()
    small.room = 1000
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        predicted(frugal(small, Warned()))


def test_another_error_is_not_tried_again() -> None:
    """It would only come again."""
    small = model()
    small.room, small.words = 1000, "mat1 and mat2 shapes cannot be multiplied"
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        predicted(frugal(small, Warned()))
    assert len(small.asked) == 1


def test_too_little_memory_is_said_at_once() -> None:
    """With what it will take in the smallest pieces."""
    report = Warned()
    frugal(model(), report, memory=2**20, held=2**19)
    assert len(report.told) == 1
    assert "--memory 1M is too little" in report.told[0]
