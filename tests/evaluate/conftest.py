"""What the tests of figures share: clips, weights and networks made on the spot."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from infusion_engine.evaluate.squeezenet import BACKBONE, HEADS

FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128),
         9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}  # fmt: skip


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with SqueezeNet's names and shapes, and random values."""
    folder = tmp_path_factory.mktemp("weights")
    generator = torch.Generator().manual_seed(5)

    def convolution(name: str, *shape: int) -> dict[str, torch.Tensor]:
        fan = shape[1] * shape[2] * shape[3]
        values = torch.randn(shape, generator=generator) * (2.0 / fan) ** 0.5
        return {f"{name}.weight": values, f"{name}.bias": torch.zeros(shape[0])}

    tensors = convolution("features.0", 64, 3, 3, 3)
    for layer, (given, squeezed, expanded) in FIRES.items():
        name = f"features.{layer}"
        tensors |= convolution(f"{name}.squeeze", squeezed, given, 1, 1)
        tensors |= convolution(f"{name}.expand1x1", expanded, squeezed, 1, 1)
        tensors |= convolution(f"{name}.expand3x3", expanded, squeezed, 3, 3)
    save_file(tensors, folder / BACKBONE)
    sizes = (64, 128, 256, 384, 384, 512, 512)
    heads = {f"head{i}": torch.rand((1, n, 1, 1), generator=generator) for i, n in enumerate(sizes)}
    save_file(heads, folder / HEADS)
    return folder


class Means(torch.nn.Module):
    """Mean of each colour over a window: three features."""

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        """(1, 3, T, H, W) to (1, 3)."""
        return window.mean((2, 3, 4))


@pytest.fixture
def script(tmp_path: Path) -> Callable[[torch.nn.Module], Path]:
    """Writes a network as TorchScript and says where."""

    def write(network: torch.nn.Module) -> Path:
        path = tmp_path / "network.pt"
        with warnings.catch_warnings():
            # torch would have everyone export anew; what users are handed is still a script.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(network).save(str(path))  # type: ignore[no-untyped-call]
        return path

    return write


@pytest.fixture
def means(script: Callable[[torch.nn.Module], Path]) -> Path:
    """A network as TorchScript whose features are the means of the three colours."""
    return script(Means())
