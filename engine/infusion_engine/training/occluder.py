"""Occluders: invented moving holes, under which the network learns to fill."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

# The published generator (Bezier blobs of the authors' code), as documented in docs/method.md.
_CORNERS = (6, 9)  # sharp corners, half-open range
_RATIOS = (0.6, 0.7, 0.8)  # how far control points stray from the ellipse
_FIRST_SPEEDS = (1.0, 2.0)  # pixels a frame at the start
_STILL_SHARE = 0.5  # half of the blobs do not move
_CURVE_POINTS = 12  # points drawn on each Bezier segment


def bezier_blob(rng: np.random.Generator, *, frames: int, height: int, width: int) -> np.ndarray:
    """One closed Bezier blob, still or drifting, as the published code draws it.

    Args:
        rng: source of every random choice.
        frames, height, width: size of the window, in frames and pixels.

    Returns:
        (frames, height, width) bool, True = hidden.
    """
    box_h = int(rng.integers(height // 2, height + 1))
    box_w = int(rng.integers(width // 2, width + 1))
    shape = _blob(rng, box_h, box_w)
    shape = shape[: height - 1 or 1, : width - 1 or 1]
    y = float(rng.integers(0, height - shape.shape[0] + 1))
    x = float(rng.integers(0, width - shape.shape[1] + 1))
    still = rng.uniform() < _STILL_SHARE
    speed, angle = rng.uniform(*_FIRST_SPEEDS), rng.uniform(0.0, 2.0 * np.pi)
    out = np.zeros((frames, height, width), bool)
    for frame in out:
        top, left = int(y), int(x)
        frame[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
        if still:
            continue
        # Whole-pixel moves, as published: a slow blob stands still between jumps.
        y += int(speed * np.cos(angle))
        x += int(speed * np.sin(angle))
        speed += rng.normal(0.0, 1.0)
        angle += rng.normal(0.0, 0.25)
        beyond = not (0 <= y <= height - shape.shape[0] and 0 <= x <= width - shape.shape[1])
        if beyond:
            speed, angle = abs(rng.normal(0.0, 1.0)), rng.uniform(0.0, 2.0 * np.pi)
        y = float(np.clip(y, 0, height - shape.shape[0]))
        x = float(np.clip(x, 0, width - shape.shape[1]))
    return out


def _blob(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A filled closed curve of cubic Bezier segments, cropped to its extent. (h, w) bool."""
    corners = int(rng.integers(*_CORNERS))
    ratio = float(rng.choice(_RATIOS))
    angles = np.linspace(0.0, 2.0 * np.pi, 3 * corners + 1)
    radius = 2.0 * ratio * rng.random(len(angles)) + 1.0 - ratio
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    points[-1] = points[0]
    s = np.linspace(0.0, 1.0, _CURVE_POINTS, endpoint=False)[:, None]
    curve = np.concatenate(
        [
            (1 - s) ** 3 * a + 3 * s * (1 - s) ** 2 * b + 3 * s**2 * (1 - s) * c + s**3 * d
            for a, b, c, d in (points[3 * i : 3 * i + 4] for i in range(corners))
        ]
    )
    # The published code draws into square axes, 1.1 times the extent of all control points'
    # coordinates taken together, with plot margins.
    low, high = points.min() * 1.1, points.max() * 1.1
    curve = (curve - low) / (high - low) * 0.775 + 0.1125  # the plot's share of its figure
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon([(x * width, y * height) for x, y in curve], fill=1)
    filled = np.asarray(canvas, bool)
    rows, columns = np.flatnonzero(filled.any(1)), np.flatnonzero(filled.any(0))
    if len(rows) == 0:
        return np.ones((1, 1), bool)
    return filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shifted_matte(
    rng: np.random.Generator,
    hole: np.ndarray,
    *,
    frames: int,
    height: int,
    width: int,
    before: int = 0,
    after: int = 0,
) -> np.ndarray:
    """The shot's own hole, moved so that one of its voxels lies in the middle of the window.

    The network then meets in training just the geometry that it will be asked to fill: the edges
    of this matte, its depths, its motion.

    Args:
        rng: source of every random choice.
        hole: (T, H, W) bool, the shot's hole; at least one voxel is True.
        frames, height, width: size of the window, in frames and pixels.
        before, after: frames of the shot before and after the window, where the occluder goes on.

    Returns:
        (before + frames + after, height, width) bool, True = hidden; mirrored at random.
    """
    total, full_h, full_w = hole.shape
    with_hole = np.flatnonzero(hole.reshape(total, -1).any(axis=1))
    t = int(rng.choice(with_hole))
    ys, xs = hole[t].nonzero()
    pick = int(rng.integers(len(ys)))
    top, left = int(ys[pick]) - height // 2, int(xs[pick]) - width // 2
    first = t - int(rng.integers(frames))
    out = np.zeros((before + frames + after, height, width), bool)
    backwards = rng.uniform() < 0.5  # about the window, not the shot
    y0, y1 = max(top, 0), min(top + height, full_h)
    x0, x1 = max(left, 0), min(left + width, full_w)
    for i in range(-before, frames + after):
        moment = first + (frames - 1 - i if backwards else i)
        source = hole[min(max(moment, 0), total - 1)]  # before and after: as at the ends
        out[before + i, y0 - top : y1 - top, x0 - left : x1 - left] = source[y0:y1, x0:x1]
    flips = tuple(axis for axis in (1, 2) if rng.uniform() < 0.5)
    return np.flip(out, flips).copy()  # a copy: torch takes no negative strides
