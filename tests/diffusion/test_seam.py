"""Seam: an offset of the fill fades inwards, texture and grain are left as they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.hint import bare
from infusion_engine.diffusion.sample import Scene
from infusion_engine.diffusion.seam import mended
from infusion_engine.diffusion.stillness import Stillness

FRAMES, SIDE, RADIUS = 3, 96, 28


def disc() -> Tensor:
    """(1, T, H, W): a round hole that moves to the right."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    discs = [(y - 48) ** 2 + (x - 44 - 3 * frame) ** 2 < RADIUS**2 for frame in range(FRAMES)]
    return torch.stack(discs)[None].float()


def waves() -> Tensor:
    """(3, T, H, W): a smooth texture."""
    y, x = torch.meshgrid(torch.arange(SIDE) / 7.0, torch.arange(SIDE) / 5.0, indexing="ij")
    frames = [
        torch.stack([torch.sin(x + c + 0.3 * t) * torch.cos(y) for c in range(3)])
        for t in range(FRAMES)
    ]
    return 0.4 * torch.stack(frames, 1)


def rings(hole: Tensor) -> list[Tensor]:
    """(1, T, H, W) bool of the hole's pixels by their distance to the edge, outermost first."""
    left, found = hole, []
    while bool(left.any()):
        inner = -torch.nn.functional.max_pool3d(-left[None], (1, 3, 3), 1, (0, 1, 1))[0]
        found.append(left > inner)
        left = inner
    return found


def rms(x: Tensor, where: Tensor) -> float:
    return float(x[where.expand_as(x)].square().mean().sqrt())


def test_an_offset_fades_inwards() -> None:
    """All but gone at the edge, and left alone in the middle: whether a fill is too dark or not."""
    hole, truth = disc(), waves()
    layers = rings(hole)
    for offset in (0.3, -0.3):
        found = mended(truth + offset * hole, hole, pixels=4.0)
        wrong = [rms(found - truth, layer) for layer in layers]
        assert wrong[0] < 0.2 * abs(offset)
        assert wrong[3] < 0.75 * abs(offset)
        assert wrong[15] == pytest.approx(abs(offset), rel=0.02)
        assert wrong[:12] == sorted(wrong[:12])


def test_what_fits_is_left_alone() -> None:
    """Of a texture that goes on as it should hardly a digit changes."""
    hole, truth = disc(), waves()
    assert rms(mended(truth, hole, pixels=4.0) - truth, hole > 0) < 0.01 * rms(truth, hole > 0)


def test_grain_is_taken_for_what_it_is() -> None:
    """Its jumps are chance: the fill's power grows by next to nothing, at the very edge too."""
    grain = torch.randn(3, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    hole = disc()
    added = mended(grain, hole, pixels=4.0) - grain
    assert rms(added, hole > 0) ** 2 < 0.04
    assert rms(added, rings(hole)[0]) ** 2 < 0.2


def test_an_offset_in_grain_is_found() -> None:
    """Where there are enough pixels to tell; the grain stays."""
    grain = 0.1 * torch.randn(3, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    hole = disc()
    found = mended(grain + 0.3 * hole, hole, pixels=4.0)
    edge = rings(hole)[0].expand_as(grain)
    assert abs(float((found - grain)[edge].mean())) < 0.1
    assert 0.08 < float((found - (found - grain).mean())[edge].std()) < 0.14


def test_known_pixels_and_nothing_asked_are_the_same_bits() -> None:
    """Outside the hole nothing is touched, NaN included; 0 pixels touch nothing at all."""
    hole, plate = disc(), waves()
    plate[:, 0, 0, 0] = float("nan")
    dark = plate - 0.3 * hole
    found = mended(dark, hole, pixels=4.0)
    outside = (hole == 0.0).expand_as(plate)
    assert torch.equal(found[outside].view(torch.int32), dark[outside].view(torch.int32))
    assert mended(dark, hole, pixels=0) is dark


@pytest.mark.parametrize("width", [1, 2])
def test_a_hole_with_no_inside_is_left_alone(width: int) -> None:
    """A line has nothing that says how steep it should be; nor has a hole that is everything."""
    line = torch.zeros(1, FRAMES, SIDE, SIDE)
    line[..., 40 : 40 + width] = 1.0
    for hole in (line, torch.ones_like(line)):
        fill = waves() + 0.3 * hole
        found = mended(fill, hole, pixels=4.0)
        assert bool(found.isfinite().all())
        if width == 1 or bool(hole.all()):
            assert torch.equal(found, fill)


def test_a_hole_that_is_cut_by_the_frame() -> None:
    """Beyond the frame nothing is known: only where the plate is does the fill change."""
    hole = torch.zeros(1, FRAMES, SIDE, SIDE)
    hole[..., :60] = 1.0
    found = mended(waves() - 0.3 * hole, hole, pixels=4.0)
    change = found - (waves() - 0.3 * hole)
    assert float(change[..., 59].mean()) > 0.2
    assert torch.equal(change[..., :30], torch.zeros_like(change[..., :30]))


def scene(
    truth: Tensor, hole: Tensor, stillness: Stillness | None = None, *, highest: float = 0.4
) -> Scene:
    """A scene of that plate, which is never brighter than `highest`."""
    guess = torch.zeros_like(truth)[None]
    return Scene(
        x_0=truth * (1 - hole),
        hole=hole,
        lowest=(-0.4,) * 3,
        highest=(highest,) * 3,
        hint=bare(guess),
        stillness=stillness,
    )


def test_a_scene_keeps_to_its_range() -> None:
    """What is taken out does not make the fill brighter than the plate is anywhere."""
    hole = disc()
    plate = torch.full((3, FRAMES, SIDE, SIDE), 0.3)
    dark = plate - 0.2 * rings(hole)[0]  # what lifts the edge lifts the pixels beyond it, too
    assert float(mended(dark, hole, pixels=4.0).max()) > 0.5
    scene(plate, hole, highest=0.35).mend(dark, pixels=4, check=lambda: None)
    assert float(dark.max()) == pytest.approx(0.35)


@pytest.mark.parametrize("size", [(1, 2), (1, 5), (2, 2), (12, 12)])
@pytest.mark.parametrize("corner", [0, 40])
def test_a_speck_in_grain_is_left_alone(size: tuple[int, int], corner: int) -> None:
    """A jump or two say nothing, least of all where the frame's border leaves no more."""
    grain = torch.randn(3, 40, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    hole = torch.zeros(1, 40, SIDE, SIDE)
    hole[..., corner : corner + size[0], corner : corner + size[1]] = 1.0
    assert rms(mended(grain, hole, pixels=4.0) - grain, hole > 0) ** 2 < 0.05


@pytest.mark.parametrize("sure", [0.5, 1.0])
def test_what_stands_still_is_mended_less_and_nothing_else_is_touched(sure: float) -> None:
    """A surely still half not at all; a fill that was held before is not held once more."""
    hole, truth = disc(), waves()
    weight = torch.zeros(1, 1, SIDE, SIDE)
    weight[..., :48] = sure
    still = Stillness(
        mean=torch.zeros(3, 1, SIDE, SIDE),
        deviation=torch.full((3, 1, SIDE, SIDE), 0.05),
        known=weight,
        weight=weight,
    )
    dark = (truth - 0.3 * hole).clamp(min=-0.4)
    fill = dark.clone()
    scene(truth, hole, still).mend(fill, pixels=4, check=lambda: None)
    changed = fill - dark
    outermost = rings(hole)[0]
    left, right = (outermost[..., part] for part in (slice(48), slice(48, None)))
    assert rms(changed[..., 48:], right) > 0.2
    assert rms(changed[..., :48], left) <= (1.0 - sure) * rms(changed[..., 48:], right)
    within = rings(hole)[13].expand_as(changed)
    assert torch.equal(fill[within], dark[within])


def test_a_stop_is_heard() -> None:
    """At the first frame that it is asked for."""

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        mended(waves(), disc(), pixels=4.0, check=stop)
