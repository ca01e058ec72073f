"""Halving frame by frame gives what halving a whole clip gives, and keeps no more than asked."""

from __future__ import annotations

import numpy as np
import torch

from infusion_engine.diffusion.halving import Halving
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.media.box import Box


def clip(*, holes: slice = slice(8, 20)) -> tuple[np.ndarray, np.ndarray]:
    """(3, T, H, W) and (1, T, H, W) of three frames with a hole that moves."""
    hole = np.zeros((1, 3, 45, 54), np.float32)
    for t in range(3):
        hole[0, t, holes, 5 + t : 16 + t] = 1.0
    x_0 = np.random.default_rng(0).normal(size=(3, 3, 45, 54)).astype(np.float32)
    return x_0 * (1 - hole), hole


def halved_by_frames(
    x_0: np.ndarray, hole: np.ndarray, parts: tuple[Box, ...]
) -> tuple[PyramidLevel, ...]:
    """Its levels, added in an order that is not the shot's."""
    halving = Halving(3, parts)
    for index in (2, 0, 1):
        halving.add(index, x_0[:, index], hole[:, index])
    return halving.levels()


def test_each_level_is_the_whole_clip_s_cut_to_its_part() -> None:
    """Bit for bit, coarsest first, at its own place."""
    x_0, hole = clip()
    parts = (Box(0, 0, 14, 12), Box(2, 0, 26, 23), Box(4, 2, 50, 40))
    found = halved_by_frames(x_0, hole, parts)
    whole = PyramidLevel(torch.from_numpy(x_0), torch.from_numpy(hole))
    for level, part in zip(reversed(found), reversed(parts), strict=True):
        there = (..., slice(part.y0, part.y1), slice(part.x0, part.x1))
        assert torch.equal(level.x_0, whole.x_0[there])
        assert torch.equal(level.hole, whole.hole[there])
        assert level.part == part
        whole = coarser(whole)


def test_a_level_of_which_too_little_is_known_is_left_out() -> None:
    """Specks that grow to cover all but a tenth of it leave nothing to learn from."""
    hole = np.zeros((1, 3, 64, 64), np.float32)
    hole[..., ::4, ::4] = 1.0  # the whole of a level two halvings down, a quarter of one
    parts = (Box(0, 0, 16, 16), Box(0, 0, 32, 32), Box(0, 0, 64, 64))
    found = halved_by_frames(np.zeros((3, 3, 64, 64), np.float32), hole, parts)
    assert [float(level.hole.mean()) for level in found] == [0.25, 1 / 16]


def test_a_clip_that_is_missing_all_over_has_one_level_still() -> None:
    """There is nothing to leave out."""
    hole = np.ones((1, 3, 8, 8), np.float32)
    parts = (Box(0, 0, 4, 4), Box(0, 0, 8, 8))
    found = halved_by_frames(np.zeros((3, 3, 8, 8), np.float32), hole, parts)
    assert [level.size for level in found] == [(8, 8)]
