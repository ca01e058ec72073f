"""Memory: the mean of what is seen of a pixel, trusted by how often and how still it is seen."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.memory import Memory, remembered

VARIANCE = 0.8
PARTS = [f.name for f in fields(Memory)]
EACH = ("mean", "variances")
"""Told for each channel."""


def clip() -> tuple[Tensor, Tensor]:
    """(x, seen) of two clips: the left half stands still, and each frame sees half of it all."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 6, 8)
    x[..., :4] = x[:, :, :1, :, :4]
    seen = (torch.rand(2, 1, 9, 6, 8) < 0.5).float()
    seen[..., :2, 6:] = 0.0  # a corner that no frame sees,
    seen[:, :, 4, :2, 7] = 1.0  # and some of it that one does
    return x, seen


def blink(frames: int, size: float) -> Tensor:
    """(1, 3, T, 5, 5), now `size` above 0.3 and now as much below it."""
    signs = 1.0 - 2.0 * (torch.arange(frames) % 2)
    return (0.3 + size * signs)[None, None, :, None, None].expand(1, 3, frames, 5, 5)


def test_mean_and_variance_are_those_of_the_frames_that_see_a_pixel() -> None:
    """The variance is unbiased, so it takes two frames; told for each channel and for all."""
    x, seen = clip()
    found = remembered(x, seen, variance=VARIANCE)
    assert found.mean.shape == (2, 3, 1, 6, 8)
    assert {getattr(found, part).shape for part in PARTS if part not in EACH} == {(2, 1, 1, 6, 8)}
    assert {getattr(found, part).shape for part in EACH} == {(2, 3, 1, 6, 8)}
    for i, row, column in ((i, y, x) for i in range(2) for y in range(6) for x in range(8)):
        values = x[i, :, seen[i, 0, :, row, column].bool(), row, column]  # (3, n)
        count = values.shape[1]
        mean = values.mean(1) if count else torch.zeros(3)
        variance = float(values.var(1).mean()) if count > 1 else 0.0
        here = (i, slice(None), 0, row, column)
        assert torch.allclose(found.mean[here], mean, atol=1e-6)
        assert float(found.variance[here]) == pytest.approx(variance, rel=1e-4, abs=1e-6)
        assert float(found.known[here]) == pytest.approx(count / (count + 8) * (count > 1))


def test_its_weight_goes_by_the_neighbourhood_s_variance() -> None:
    """It is n / (n + 8 share), share at most 1, of 3 x 3 pixels, each by its frames less one."""
    x, seen = clip()
    found = remembered(x, seen, variance=VARIANCE)
    variance, count = found.variance.double()[:, 0, 0], seen.double().sum((1, 2))
    freedom = (count - 1).clamp(min=0)
    shares = set()
    for i, row, column in ((i, y, x) for i in range(2) for y in range(6) for x in range(8)):
        near = (i, slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2))
        if float(freedom[near].sum()) > 0:
            whole = float((variance[near] * freedom[near]).sum() / freedom[near].sum())
            share = min(1.0, whole / VARIANCE)
        else:
            share = 1.0
        n = float(count[i, row, column])
        weight = n / (n + 8 * share) if n else 0.0
        assert float(found.weight[i, 0, 0, row, column]) == pytest.approx(weight, rel=1e-4)
        shares.add(round(share, 2))
    assert {0.0, 1.0} < shares  # still places, moving ones, and some between


@pytest.mark.parametrize("frames", [2, 8, 72])
def test_a_moving_place_is_trusted_by_its_frames_alone(frames: int) -> None:
    """Eight of them count as much as interpolation does, however wild it is."""
    seen = torch.ones(1, 1, frames, 5, 5)
    for size in (1.0, 10.0):
        found = remembered(blink(frames, size), seen, variance=1.0)
        assert torch.allclose(found.weight, torch.tensor(frames / (frames + 8)))


@pytest.mark.parametrize(("size", "weight"), [(0.0, 1.0), (0.1, 8 / 8.0914), (0.5, 8 / 10.2857)])
def test_a_stiller_place_is_trusted_sooner(size: float, weight: float) -> None:
    """Of eight frames: wholly where nothing changes, and the less the more there does."""
    found = remembered(blink(8, size), torch.ones(1, 1, 8, 5, 5), variance=1.0)
    assert torch.allclose(found.weight, torch.tensor(weight), rtol=1e-4)


@pytest.mark.parametrize("size", [0.0, 0.1, 0.2, 0.5, 10.0])
def test_only_of_a_still_place_the_mean_is_the_picture(size: float) -> None:
    """`still` is the weight if nothing changes, half of it at a tenth of the plate's variance."""
    found = remembered(blink(8, size), torch.ones(1, 1, 8, 5, 5), variance=1.0)
    share = min(1.0, 8 / 7 * size**2)
    assert torch.allclose(found.still, found.weight / (1 + (share / 0.1) ** 2), rtol=1e-4)
    assert torch.equal(found.count, torch.full_like(found.count, 8.0))


def test_what_is_seen_once_is_not_taken_for_still() -> None:
    """One frame does not tell how much a place changes: it counts as one of a moving place."""
    seen = torch.zeros(1, 1, 6, 5, 5)
    assert not remembered(blink(6, 0.2), seen, variance=1.0).weight.any()
    seen[:, :, 3] = 1.0
    found = remembered(blink(6, 0.0), seen, variance=1.0)
    assert torch.allclose(found.weight, torch.tensor(1 / 9))
    assert not found.known.any()
    assert torch.allclose(found.mean, torch.tensor(0.3))


@pytest.mark.parametrize("poison", [1e30, math.inf, math.nan])
def test_what_is_not_seen_has_no_say(poison: float) -> None:
    """Not in a bit of any part, be it no number at all."""
    x, seen = clip()
    clean = remembered(torch.where(seen > 0, x, 0.0), seen, variance=VARIANCE)
    dirty = remembered(torch.where(seen > 0, x, poison), seen, variance=VARIANCE)
    assert [
        part for part in PARTS if not torch.equal(*(getattr(m, part) for m in (clean, dirty)))
    ] == []


def test_each_clip_of_a_batch_has_its_own_memory() -> None:
    """Each as if it were alone."""
    x, seen = clip()
    found = remembered(x, seen, variance=VARIANCE)
    for i in range(2):
        alone = remembered(x[i : i + 1], seen[i : i + 1], variance=VARIANCE)
        for part in PARTS:
            assert torch.allclose(getattr(found, part)[i], getattr(alone, part)[0], atol=1e-6)


def test_a_plate_that_does_not_vary_has_a_memory() -> None:
    """Nothing is divided by a variance of 0."""
    found = remembered(blink(6, 0.0), torch.ones(1, 1, 6, 5, 5), variance=0.0)
    assert torch.allclose(found.weight, torch.tensor(1.0), atol=0.01)
    assert torch.allclose(found.mean, torch.tensor(0.3))
