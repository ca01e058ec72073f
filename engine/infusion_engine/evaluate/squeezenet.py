"""SqueezeNet 1.1 and the heads of LPIPS, read from two local files.

A folder of weights holds

    squeezenet11_caffe.safetensors    features.N.weight, features.N.expand1x1.bias and so on:
                                      torchvision's names and layout, the authors' Caffe model's
                                      values, R, G, B first
    lpips_squeeze_heads.safetensors   head0 to head6, each (1, C, 1, 1): LPIPS v0.1

The network is that of Iandola et al. (arXiv 1602.07360) in its version 1.1; where it is looked at,
and the distance between two pictures

    d = sum over taps of mean over places of head . (a / |a| - b / |b|)^2

are those of Zhang, Isola, Efros, Shechtman and Wang (CVPR 2018), whose heads were fitted to
torchvision's weights. With Caffe's the distance ranks like LPIPS and has a scale of its own.
Nothing is ever downloaded.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from infusion_engine.errors import InputError

BACKBONE = "squeezenet11_caffe.safetensors"
"""The network's weights in a folder of weights."""
HEADS = "lpips_squeeze_heads.safetensors"
"""The weights of each tap's features in that folder."""
SMALLEST = 17
"""Least side of a picture, in pixels, of which every pooling still leaves something."""

_CAFFE_MEAN = (123.0, 117.0, 104.0)  # R, G, B out of 255, which the Caffe model wants taken away
_TAPS = {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}  # layer: features


class SqueezeNetDistance(nn.Module):
    """How different two pictures look to SqueezeNet.

    Raises:
        InputError: a file of `folder` is absent, damaged, or holds other tensors.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            _pool(),
            _Fire(64, 16, 64),
            _Fire(128, 16, 64),
            _pool(),
            _Fire(128, 32, 128),
            _Fire(256, 32, 128),
            _pool(),
            _Fire(256, 48, 192),
            _Fire(384, 48, 192),
            _Fire(384, 64, 256),
            _Fire(512, 64, 256),
        )
        backbone = _load(folder / BACKBONE, {k: v.shape for k, v in self.state_dict().items()})
        heads = {f"head{i}": torch.Size((1, n, 1, 1)) for i, n in enumerate(_TAPS.values())}
        self.load_state_dict(backbone)
        self.heads = list(_load(folder / HEADS, heads).values())
        self.requires_grad_(requires_grad=False)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """The distance, a scalar of 0 or more.

        Both are (1, 3, H, W) of R, G, B in [0, 1], with H and W at least `SMALLEST`.
        """
        pairs = zip(self.heads, self._taps(one), self._taps(other), strict=True)
        return torch.stack([F.conv2d((a - b) ** 2, head).mean() for head, a, b in pairs]).sum()

    def _taps(self, picture: Tensor) -> list[Tensor]:
        """(1, C, h, w) at each tap, every place's features scaled to length 1."""
        x = 255.0 * picture - picture.new_tensor(_CAFFE_MEAN)[None, :, None, None]
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _TAPS:
                taps.append(x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10))
        return taps


class _Fire(nn.Module):
    """Few features, then many, half of them seen through a 3 by 3 window."""

    def __init__(self, given: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(given, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, given, h, w) to (B, 2 expanded, h, w)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _load(path: Path, shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """The tensors of a file by name, in the order of `shapes`, which they must have."""
    if not path.is_file():
        raise InputError(
            f"{path} is not there: lpips and perceptual need SqueezeNet's weights.",
            remedy=f"Name a folder with {BACKBONE} and {HEADS} by --weights, or leave --weights "
            "out; nothing is downloaded.",
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} cannot be read: {error}.", remedy="Put a sound copy in its place."
        ) from error
    wrong = sorted(
        name
        for name in {*tensors, *shapes}
        if name not in tensors or name not in shapes or tensors[name].shape != shapes[name]
    )
    if wrong:
        raise InputError(
            f"{path} does not hold what it should: {wrong[0]} is "
            f"{list(tensors[wrong[0]].shape) if wrong[0] in tensors else 'absent'}, expected "
            f"{list(shapes[wrong[0]]) if wrong[0] in shapes else 'no such tensor'}.",
            remedy="See docs/evaluate.md for the names and shapes of the tensors.",
        )
    return {name: tensors[name].float() for name in shapes}
