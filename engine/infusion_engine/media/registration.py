"""Registration: the homography by which one picture of a place becomes another of it.

Intensities are compared directly (Lucas & Kanade 1981; Baker & Matthews 2004), since a slow pan
moves every frame but little and texture is everywhere. What moves by itself must have no say: a
shift is found first, which so few numbers that moving texture can hardly bend, and all eight are
found by those pixels alone that agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

_SIZES = 3
"""A picture, a half and a quarter of it: a shift may be four times what one size alone finds."""
_BLUR = 0.7
"""Deviation, in pixels, of the smoothing that gradients are taken of."""
_LEAST = 100
"""Pixels that have to be seen in both pictures."""
_FINEST = 0.004
"""Deviation that noise and rounding have at least, of 1 from black to white."""
_SHIFT = (2, 5)
_AFFINE = (0, 1, 2, 3, 4, 5)
_ALL = (*_AFFINE, 6, 7)
"""Which of a homography's eight numbers are sought."""
_STEPS = 20
_STILL = 0.002
"""Pixels of movement, below which a step is the last."""
_NEAR = 5
"""Side, in pixels, of the square over which it is asked whether a place agrees."""
_ASKED = 60_000
"""Pixels that are asked at most: they are spread over the picture, and more would say no more."""
_UNLIKE = 0.7
"""Of the picture's own deviation, that of what agrees at most: two places that have nothing to do
with each other have 1.4."""
_FIT = 0.02
"""Share of what both pictures show that has to agree: less is no background."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame as it is compared, at every size, smallest first."""

    sizes: tuple[tuple[Floats, Mask], ...]
    """(values (H, W) in [0, 1], what of them is known (H, W))."""

    @staticmethod
    def of(values: Floats, known: Mask) -> Picture:
        """Of (H, W) values, of which some are known."""
        sizes = [(values, known)]
        while len(sizes) < _SIZES and min(sizes[0][0].shape) >= 32:
            sizes.insert(0, _halved(*sizes[0]))
        smooth = tuple((_blurred(values, known), known) for values, known in sizes)
        return Picture(smooth)

    @property
    def known(self) -> int:
        """How many pixels of it are known."""
        return int(self.sizes[-1][1].sum())


@dataclass(frozen=True, eq=False)
class Registered:
    """How one picture lies in another."""

    matrix: Floats
    """(3, 3): pixels (x, y, 1) of the first, counted from the middle of its first, to those of the
    second."""
    overlap: int
    """Known pixels that both show."""


def registered(first: Picture, second: Picture, start: Floats) -> Registered | None:
    """How `first` lies in `second`; None where they show too little of one place.

    Args:
        first: a picture.
        second: another.
        start: (3, 3), what the matrix should be near.
    """
    matrix = start
    for index, (one, other) in enumerate(zip(first.sizes, second.sizes, strict=True)):
        size = _scaling(2 ** (len(first.sizes) - 1 - index))
        here = np.linalg.inv(size) @ matrix @ size
        found = _solved(one, other, here, _SHIFT, where=one[1], spread=None)
        if found is None:
            return None
        matrix = _normal(size @ found @ np.linalg.inv(size))
    return _refined(first.sizes[-1], second.sizes[-1], matrix)


def _refined(
    one: tuple[Floats, Mask], other: tuple[Floats, Mask], matrix: Floats
) -> Registered | None:
    """All eight numbers, by the places that agree with a shift."""
    y, x = np.nonzero(one[1])
    at, _, ok = _carried(matrix, x, y, other[1])
    if int(ok.sum()) < _LEAST:
        return None
    apart = np.full(one[0].shape, np.nan)
    apart[y[ok], x[ok]] = np.abs(_at(other[0], at) - one[0][y[ok], x[ok]])
    seen = np.isfinite(apart)
    core = max(2.0 * _FINEST, 3.0 * float(np.quantile(apart[seen], 0.25)))
    around = ndimage.uniform_filter(np.where(seen, apart, 4.0 * core), _NEAR)
    still = seen & (around < 1.5 * core)
    if int(still.sum()) < max(_LEAST, _FIT * int(seen.sum())):
        return None
    spread = max(_FINEST, 1.4826 * float(np.median(apart[still])))
    if spread > max(_FINEST, _UNLIKE * float(one[0][still].std())):
        return None
    for numbers in (_AFFINE, _ALL):
        found = _solved(one, other, matrix, numbers, where=still, spread=spread)
        if found is None:
            return None
        matrix = found
    return Registered(matrix, int(seen.sum()))


def _solved(
    one: tuple[Floats, Mask],
    other: tuple[Floats, Mask],
    start: Floats,
    numbers: tuple[int, ...],
    *,
    where: Mask,
    spread: float | None,
) -> Floats | None:
    """Gauss-Newton steps in some of the eight numbers, weighed after Geman and McClure.

    Args:
        one: values (H, W) and what is known of them.
        other: likewise.
        start: (3, 3).
        numbers: which are sought.
        where: (H, W) pixels of `one` that are asked.
        spread: deviation of what agrees; None to take the median's at each step.
    """
    (values, _), (seen, known) = one, other
    slopes = np.gradient(seen)
    y, x = np.nonzero(where)
    every = -(-max(1, len(y)) // _ASKED)
    y, x = y[::every], x[::every]
    middle = _middle(values.shape[1], values.shape[0])
    u, v, _ = middle @ np.stack([x, y, np.ones_like(x)])
    back = np.linalg.inv(middle)
    matrix, chosen = start, list(numbers)
    for _ in range(_STEPS):
        at, depth, ok = _carried(matrix, x, y, known)
        if not ok.any() or int(ok.sum()) < min(_LEAST, len(y) // 4):
            return None
        apart = _at(seen, at) - values[y[ok], x[ok]]
        size = spread or max(_FINEST, 1.4826 * float(np.median(np.abs(apart))))
        weights = (1.0 + (apart / (2.0 * size)) ** 2) ** -2
        jacobian = _jacobian(
            (_at(slopes[1], at), _at(slopes[0], at)), matrix @ back, (u[ok], v[ok]), at, depth
        )[:, chosen]
        weighed = jacobian * weights[:, None]
        normal = weighed.T @ jacobian
        normal += 1e-9 * np.trace(normal) * np.eye(len(chosen))
        step = np.zeros(8)
        step[chosen] = np.linalg.lstsq(normal, -weighed.T @ apart, rcond=None)[0]
        change = np.eye(3) + np.append(step, 0.0).reshape(3, 3)
        matrix = _normal(matrix @ back @ change @ middle)
        if float(np.abs(step).max()) < _STILL / back[0, 0]:
            break
    return matrix


def _carried(
    matrix: Floats, x: Places, y: Places, known: Mask
) -> tuple[tuple[Floats, Floats], Floats, Mask]:
    """Where pixels come to lie in another picture.

    Returns:
        (rows, columns) and the third coordinate there, of those pixels alone that come to lie
        where the other picture is known; and which these are, (N,).
    """
    height, width = known.shape
    across, down, depth = matrix @ np.stack([x, y, np.ones_like(x)]).astype(np.float64)
    across, down = across / depth, down / depth
    ok = (across > 1) & (across < width - 2) & (down > 1) & (down < height - 2)
    row, column = (
        c.clip(0, n).round().astype(int) for c, n in ((down, height - 1), (across, width - 1))
    )
    ok &= known[row, column]
    return (down[ok], across[ok]), depth[ok], ok


def _jacobian(
    slopes: tuple[Floats, Floats],
    matrix: Floats,
    place: tuple[Floats, Floats],
    at: tuple[Floats, Floats],
    depth: Floats,
) -> Floats:
    """(N, 8): how each intensity changes with each number of a homography put before `matrix`.

    Args:
        slopes: of the picture along its rows and down its columns, (N,) each.
        matrix: from places near [-1, 1] to the picture's pixels.
        place: where, (N,) each.
        at: (rows, columns) where that comes to lie.
        depth: third coordinate there.
    """
    (gx, gy), (u, v), (row, column) = slopes, place, at
    gu = gx * (matrix[0, 0] - column * matrix[2, 0]) + gy * (matrix[1, 0] - row * matrix[2, 0])
    gv = gx * (matrix[0, 1] - column * matrix[2, 1]) + gy * (matrix[1, 1] - row * matrix[2, 1])
    gu, gv = gu / depth, gv / depth
    along = gu * u + gv * v
    return np.stack([gu * u, gu * v, gu, gv * u, gv * v, gv, -along * u, -along * v], axis=1)


def _at(picture: Floats, at: tuple[Floats, Floats]) -> Floats:
    """(N,) values of a picture between its pixels."""
    return np.asarray(ndimage.map_coordinates(picture, at, order=1), np.float64)


def _middle(width: int, height: int) -> Floats:
    """Pixels to places near [-1, 1]."""
    half = max(width, height) / 2.0
    return np.array(
        [[1.0 / half, 0.0, -width / 2.0 / half], [0.0, 1.0 / half, -height / 2.0 / half], [0, 0, 1]]
    )


def _scaling(times: int) -> Floats:
    """Pixels of a picture that was reduced so many times, to pixels of the whole one."""
    offset = times / 2.0 - 0.5
    return np.array([[times, 0.0, offset], [0.0, times, offset], [0.0, 0.0, 1.0]])


def _normal(matrix: Floats) -> Floats:
    """The same homography, its last number 1."""
    return np.asarray(matrix / matrix[2, 2], np.float64)


def _halved(values: Floats, known: Mask) -> tuple[Floats, Mask]:
    """Means of 2 x 2 pixels, known where all four are; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in values.shape)
    four = (height // 2, 2, width // 2, 2)
    small = values[:height, :width].reshape(four).mean((1, 3))
    return small, np.asarray(known[:height, :width].reshape(four).all((1, 3)), np.bool_)


def _blurred(values: Floats, known: Mask) -> Floats:
    """(H, W) smoothed over known values alone."""
    share = ndimage.gaussian_filter(known.astype(np.float64), _BLUR)
    whole = ndimage.gaussian_filter(np.where(known, values, 0.0), _BLUR)
    return np.asarray(whole / np.maximum(share, 1e-3), np.float64)
