"""Sliced Wasserstein distance between space-time patches: texture and dynamics without a network.

    swd3d   distance between the patches of the fill and those of the truth, x1000   less is better

A patch is 3 frames of 7 by 7 pixels in display values, centred on a pixel of the hole. Patches of
result and truth are projected onto random directions; along each direction the Wasserstein-1
distance between two sets of equal size is the mean difference of their sorted values (Rabin, Peyre,
Delon and Bernot, SSVM 2011), and `swd3d` is the mean over directions. Sets are compared and not
places: the right texture in another phase scores well, which likeness in dB cannot tell.

Of more than 40000 centres as many are drawn. The draw and the directions come from numpy's
`default_rng(0)`, so that a figure can be had again. A whole patch must lie in the clip: no centre
is nearer than 3 pixels to the frame's edge, or in the first or last frame.

Memory is bounded but for one thing. Kept are the projections of at most 40000 patches of each side
(82 MB together) and three frames; while one frame's patches are projected it may be 300 MB in all.
The draw alone grows with the clip: 8 bytes a centre, before the first frame is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from infusion_engine.evaluate.figures import Values

FRAMES, SIDE = 3, 7
"""Length and side of a patch; its centre is in the middle of both."""
DIRECTIONS = 256
"""Random directions that patches are projected onto."""
MOST = 40_000
"""Patches compared at most, of each side."""

_RIM = SIDE // 2


def centre_count(hole: npt.NDArray[np.bool_]) -> int:
    """Pixels of a hole (H, W) around which a patch fits into the frame."""
    return int(np.count_nonzero(_inner(hole)))


class PatchTally:
    """Gathers `swd3d` from frames that are given in order, one after the other.

    Which patches are compared is drawn from all there are, so their number must be known before:
    `centres` has `centre_count` of every frame in order, those of the first and last frame too.
    """

    def __init__(self, centres: Sequence[int]) -> None:
        counts = np.array(centres, np.int64)
        counts[:1] = counts[-1:] = 0  # a patch reaches a frame back and a frame on
        self._first = np.concatenate([[0], np.cumsum(counts)])
        rng = np.random.default_rng(0)
        # Only which are drawn matters, as values are sorted in the end: kept in reading order.
        self._drawn = np.sort(rng.permutation(int(self._first[-1]))[:MOST])
        directions = rng.standard_normal((3 * FRAMES * SIDE**2, DIRECTIONS)).astype(np.float32)
        self._directions = directions / np.linalg.norm(directions, axis=0, keepdims=True)
        self._frames: deque[tuple[Values, Values, npt.NDArray[np.bool_]]] = deque(maxlen=FRAMES)
        self._seen = 0
        self._result, self._truth = (
            np.empty((DIRECTIONS, len(self._drawn)), np.float32) for _ in range(2)
        )

    def add(self, result: Values, truth: Values, hole: npt.NDArray[np.bool_]) -> None:
        """Take in the next frame: (H, W, 3) display values and (H, W), True in the hole."""
        self._frames.append((result, truth, hole))
        self._seen += 1
        if len(self._frames) < FRAMES:
            return
        middle = self._seen - 2
        low, high = np.searchsorted(self._drawn, self._first[middle : middle + 2])
        if low == high:
            return
        centres = np.argwhere(_inner(self._frames[1][2]))
        ys, xs = centres[self._drawn[low:high] - self._first[middle]].T
        for side, kept in enumerate((self._result, self._truth)):
            clip = np.stack([frame[side] for frame in self._frames])
            windows = np.lib.stride_tricks.sliding_window_view(clip, (SIDE, SIDE), axis=(1, 2))
            patches = windows[:, ys, xs]  # (3 frames, patches, C, 7, 7)
            flat = patches.transpose(1, 2, 0, 3, 4).reshape(len(ys), -1)
            kept[:, low:high] = (flat @ self._directions).T

    def distance(self) -> float | None:
        """`swd3d`; None where no patch of a hole lies in the clip whole."""
        if not self._drawn.size:
            return None
        self._result.sort(axis=1)
        self._truth.sort(axis=1)
        total = 0.0
        for result, truth in zip(self._result, self._truth, strict=True):
            total += float(np.abs(result - truth).mean(dtype=np.float64))
        return 1000.0 * total / DIRECTIONS


def _inner(hole: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels of (H, W) around which a patch fits into the frame."""
    return hole[_RIM : hole.shape[0] - _RIM, _RIM : hole.shape[1] - _RIM]
