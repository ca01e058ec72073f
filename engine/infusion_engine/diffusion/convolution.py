"""Three-dimensional convolution that keeps out of torch's slow path on a CPU.

For float32 torch (2.13) leaves a batch of one small clip to a loop of its own, which is some ten
times slower than the library it gives a batch of two to. A crop is just that, so it is cut in
two across its rows, each half with the rows that its kernel sees of the other, and the halves are
a batch of two.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALL = 20_480
"""Features x frames x rows up to which torch takes its slow path."""
_LEAST_ROWS = 4
"""Below this the rows that are computed twice are most of the work."""


def convolve(x: Tensor, kernels: Tensor, bias: Tensor | None, padding: list[int]) -> Tensor:
    """Convolve with stride 1, zeros beyond the border.

    Args:
        x: (B, inputs, T, H, W).
        kernels: (outputs, inputs, kT, kH, kW), odd sizes.
        bias: (outputs,), or none.
        padding: half of each kernel size.

    Returns:
        (B, outputs, T, H, W), the same to rounding whichever path was taken.
    """
    if not _is_slow(x, kernels):
        return F.conv3d(x, kernels, bias, padding=padding)
    frames, beside, columns = padding
    rows = x.shape[3]
    half = (rows + 1) // 2
    padded = F.pad(x, (0, 0, beside, beside + rows % 2))
    halves = torch.cat([padded[..., : half + 2 * beside, :], padded[..., half:, :]])
    y = F.conv3d(halves, kernels, bias, padding=[frames, 0, columns])  # (2, outputs, T, half, W)
    return torch.cat([y[:1], y[1:]], dim=3)[..., :rows, :]


def _is_slow(x: Tensor, kernels: Tensor) -> bool:
    """Whether torch would take its slow path, and halves are worth it.

    Kernels of one voxel are a product of matrices either way.
    """
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or x.dtype != torch.float32:
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # oneDNN
        return False
    batch, features, frames, rows, _ = x.shape
    small = batch == 1 and features * frames * rows <= _SMALL
    return small and rows >= _LEAST_ROWS and kernels[0, 0].numel() > 1
