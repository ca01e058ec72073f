"""Settling: a layout that a fit predicted is drawn towards what the plate's own patches look like.

The noisiest fits settle layout from next to nothing, and now and then leave what the plate has
nowhere: a black spot in a fire, a shadow of the matte. Once layout is there, each of its patches
is compared with the plate's, and their votes mend it, as patches have always filled holes in
video (Newson et al. 2014, arXiv 1503.05528; Kwatra et al. 2005). Only what is larger than texture
is taken from the votes: a mean of patches is smoother than any of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infusion_engine.diffusion.patches import Found, Patches, Volume, touched
from infusion_engine.diffusion.smooth import gaussian, smoothed

_BLUR = 2.5
"""Deviation, in pixels, of the smoothing of what the votes change."""


@torch.no_grad()
def settled(
    x_0: Tensor,
    hole: Tensor,
    patches: Patches | None,
    *,
    rounds: int,
    check: Callable[[], None],
    on_round: Callable[[int], None],
) -> Tensor:
    """The fill, with its layout as the plate's patches have it.

    Args:
        x_0: (3, T, H, W), predicted, known voxels put back.
        hole: (1, T, H, W), 1 = missing.
        patches: of the level's plate, in the same unit; None where it has too few to say.
        rounds: how often patches are looked up and vote.
        check: called now and then; raises to stop.
        on_round: called with the number of rounds done.

    Returns:
        (3, T, H, W), x_0 itself where it is known.
    """
    if patches is None or not bool(hole.any()):
        return x_0
    middles = torch.nonzero(touched(hole))
    filled, found = x_0, None
    for done in range(1, rounds + 1):
        found = patches.nearest(Volume.of(filled), middles, found, check)
        filled = torch.where(hole > 0.0, _voted(patches, found, middles, x_0), x_0)
        on_round(done)
    kernel = gaussian(_BLUR, x_0)
    change = smoothed((filled - x_0) * hole, kernel) / smoothed(hole, kernel).clamp(min=0.05)
    return torch.where(hole > 0.0, x_0 + change, x_0)


def _voted(patches: Patches, found: Found, middles: Tensor, like: Tensor) -> Tensor:
    """(3, T, H, W): the mean of what every patch that holds a voxel says of it.

    Patches that were found to look alike count more (Wexler et al. 2007, equation 3).
    """
    scale = found.distance.median().clamp(min=1e-6)
    weight = torch.exp(-found.distance / (2.0 * scale)).clamp(min=1e-8)
    size = middles.new_tensor(like.shape[1:])
    total, count = torch.zeros_like(like), torch.zeros_like(like[0])
    for offset, theirs in patches.voxels(found.middle, found.mirrored):
        # Within an offset no two patches speak of one voxel: sums do not depend on any order.
        there = middles + middles.new_tensor(offset)
        inside = ((there >= 0) & (there < size)).all(1)
        frame, row, column = there[inside].T
        total[:, frame, row, column] += theirs[:, inside] * weight[inside]
        count[frame, row, column] += weight[inside]
    return torch.where(count > 0.0, total / count.clamp(min=1e-12), like)
