"""PSNR and SSIM as papers on video completion print them, and SSIM in the hole.

    psnr_8bit   dB over the whole frame, mean over frames                       more is better
    ssim_8bit   SSIM over the whole frame, uniform window of 65, mean           1 is the truth
    ssim_hole   SSIM in the hole, Gaussian window of 11, mean over hole pixels  1 is the truth

The first two are the protocol of the evaluation scripts of E2FGVI (Li et al., CVPR 2022) and
ProPainter (Zhou et al., ICCV 2023), with which fills are compared in print: the completed frame in
8 bits against the original, the whole of it, PSNR with peak 255, scikit-image's SSIM with a window
of 65 by 65 pixels on each colour, and means over frames. What is known already counts, so that a
small hole scores high; and a window of 65 looks past most holes. `ssim_hole` is therefore the SSIM
of Wang, Bovik, Sheikh and Simoncelli (IEEE TIP 2004) with their own window, 11 by 11 and Gaussian
of deviation 1.5, of which only the values at the pixels of the hole count.

Frames without a hole are left out: they are the truth, and their PSNR is infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from infusion_engine.evaluate.figures import NOTHING_TO_TELL, Values

FIELD_WINDOW = 65
"""Side of the protocol's uniform window, in pixels."""
HOLE_WINDOW = 11
"""Side of the Gaussian window in the hole, in pixels."""
HOLE_DEVIATION = 1.5
"""Standard deviation of the Gaussian window, in pixels."""


@dataclass(frozen=True)
class ProtocolFigures:
    """Likeness in 8 bits; None where there is no hole, or a frame is smaller than the window."""

    psnr_8bit: float | None
    """dB over the whole frame, mean over frames with a hole; at most 120."""
    ssim_8bit: float | None
    """SSIM over the whole frame, in [-1, 1], mean over frames with a hole."""
    ssim_hole: float | None
    """SSIM over the pixels of all holes, in [-1, 1]."""


class ProtocolTally:
    """Gathers `ProtocolFigures` from frames in any order; keeps sums only."""

    def __init__(self) -> None:
        self._frames = 0
        self._psnr = 0.0
        self._ssim: float | None = 0.0
        self._hole_pixels = 0
        self._ssim_hole: float | None = 0.0

    def add(self, result: Values, truth: Values, hole: npt.NDArray[np.bool_]) -> None:
        """Take in a frame: (H, W, 3) display values in [0, 1] and (H, W), True in the hole."""
        if not hole.any():
            return
        a, b = _eight_bits(result), _eight_bits(truth)
        side = min(hole.shape)
        self._frames += 1
        squared = float(((a.astype(np.float64) - b) ** 2).mean()) / 255.0**2
        self._psnr += -10.0 * math.log10(max(squared, NOTHING_TO_TELL))
        if self._ssim is not None:
            self._ssim = self._ssim + _field_ssim(a, b) if side >= FIELD_WINDOW else None
        self._hole_pixels += int(hole.sum())
        if self._ssim_hole is not None:
            fits = side >= HOLE_WINDOW
            self._ssim_hole = self._ssim_hole + _hole_ssim(a, b, hole) if fits else None

    def figures(self) -> ProtocolFigures:
        """What the frames so far amount to."""
        if not self._frames:
            return ProtocolFigures(None, None, None)
        return ProtocolFigures(
            psnr_8bit=self._psnr / self._frames,
            ssim_8bit=None if self._ssim is None else self._ssim / self._frames,
            ssim_hole=None if self._ssim_hole is None else self._ssim_hole / self._hole_pixels,
        )


def _eight_bits(values: Values) -> npt.NDArray[np.uint8]:
    """Display values in [0, 1] as the nearest of 256 codes."""
    codes: npt.NDArray[np.uint8] = np.rint(values * np.float32(255.0)).astype(np.uint8)
    return codes


def _field_ssim(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """Mean SSIM over every window that lies in the (H, W, 3) frame whole, and over colours."""
    value = structural_similarity(  # type: ignore[no-untyped-call]
        a, b, win_size=FIELD_WINDOW, data_range=255, channel_axis=-1
    )
    return float(value)


def _hole_ssim(
    a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], hole: npt.NDArray[np.bool_]
) -> float:
    """Sum over the hole's pixels of SSIM, mean over colours; frames are mirrored at their edges."""
    ys, xs = np.nonzero(hole)
    around = HOLE_WINDOW  # more than half a window, and never less than a whole one
    box = np.s_[
        max(ys.min() - around, 0) : ys.max() + around + 1,
        max(xs.min() - around, 0) : xs.max() + around + 1,
    ]
    _, values = structural_similarity(  # type: ignore[no-untyped-call]
        a[box],
        b[box],
        gaussian_weights=True,
        sigma=HOLE_DEVIATION,
        use_sample_covariance=False,  # as Wang et al. have it
        data_range=255,
        channel_axis=-1,
        full=True,
    )
    return float(values[hole[box]].mean(-1).sum())
