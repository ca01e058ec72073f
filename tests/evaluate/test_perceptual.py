"""Tests of the perceptual distances and of reading the network's weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file

from infusion_engine.errors import InputError
from infusion_engine.evaluate.perceptual import PerceptualFigures, PerceptualTally
from infusion_engine.evaluate.squeezenet import BACKBONE, HEADS, SqueezeNetDistance

Values = npt.NDArray[np.float32]


def _frame(side: int, seed: int) -> Values:
    return np.random.default_rng(seed).uniform(0, 1, (side, side, 3)).astype(np.float32)


def _figures(
    weights: Path, *pairs: tuple[Values, Values, npt.NDArray[np.bool_]]
) -> PerceptualFigures:
    tally = PerceptualTally(weights)
    for result, truth, hole in pairs:
        tally.add(result, truth, hole)
    return tally.figures()


def _hole(side: int) -> npt.NDArray[np.bool_]:
    """Rows and columns 8 to 12: the box grown by 32 ends before 45."""
    hole = np.zeros((side, side), np.bool_)
    hole[8:13, 8:13] = True
    return hole


def test_perceptual_ends_32_pixels_from_the_holes_box(weights: Path) -> None:
    """Row 45 counts for the whole frame alone, row 44 for both."""
    truth, result = _frame(64, 1), _frame(64, 1)
    result[_hole(64)] = 0.0
    before = _figures(weights, (result, truth, _hole(64)))
    result[45:] = 0.0
    farther = _figures(weights, (result, truth, _hole(64)))
    assert farther.perceptual == before.perceptual
    assert farther.lpips is not None
    assert before.lpips is not None
    assert farther.lpips > before.lpips
    result[44] = 0.0
    assert _figures(weights, (result, truth, _hole(64))).perceptual != before.perceptual


def test_frames_with_a_hole_are_averaged(weights: Path) -> None:
    """Each frame with a hole counts once, and one without does not count."""
    truth, one, other = (_frame(24, seed) for seed in (1, 2, 3))
    hole, nothing = _hole(24), np.zeros((24, 24), np.bool_)
    first, second = (_figures(weights, (v, truth, hole)) for v in (one, other))
    both = _figures(weights, (one, truth, hole), (other, truth, nothing), (other, truth, hole))
    assert first.lpips is not None
    assert second.lpips is not None
    assert both.lpips == pytest.approx((first.lpips + second.lpips) / 2)


def test_the_truth_has_no_distance_to_itself(weights: Path) -> None:
    """And without a hole there is nothing to tell."""
    truth = _frame(32, 1)
    assert _figures(weights, (truth, truth, _hole(32))) == PerceptualFigures(0.0, 0.0)
    nothing = np.zeros((32, 32), np.bool_)
    assert _figures(weights, (truth, truth, nothing)) == PerceptualFigures(None, None)


def test_the_smallest_frame_is_17_pixels(weights: Path) -> None:
    """Under that the network has nothing left after its last pooling, and no figure is told."""
    assert _figures(weights, (_frame(17, 1), _frame(17, 2), _hole(17))).lpips is not None
    assert _figures(weights, (_frame(16, 1), _frame(16, 2), _hole(16))).lpips is None


def test_the_heads_weigh_the_taps(weights: Path, tmp_path: Path) -> None:
    """Twice the weights are twice the distance; with all but the first at 0 the first is left."""
    one, other = (torch.from_numpy(_frame(32, s)).permute(2, 0, 1)[None] for s in (1, 2))
    folder = Path(shutil.copytree(weights, tmp_path / "weights"))
    whole = SqueezeNetDistance(folder)(one, other).item()
    heads = load_file(folder / HEADS)
    save_file({name: 2 * head for name, head in heads.items()}, folder / HEADS)
    assert SqueezeNetDistance(folder)(one, other).item() == pytest.approx(2 * whole, rel=1e-5)
    first = {name: head * (name == "head0") for name, head in heads.items()}
    save_file(first, folder / HEADS)
    backbone = load_file(folder / BACKBONE)
    mean = torch.tensor([123.0, 117.0, 104.0])[:, None, None]

    def tap(picture: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = torch.nn.functional.conv2d(
            255 * picture - mean, backbone["features.0.weight"], backbone["features.0.bias"], 2
        ).relu()
        return seen / seen.pow(2).sum(1, keepdim=True).sqrt()

    expected = (((tap(one) - tap(other)) ** 2) * heads["head0"]).sum(1).mean().item()
    assert SqueezeNetDistance(folder)(one, other).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [BACKBONE, HEADS])
def test_weights_that_are_absent_are_named(weights: Path, tmp_path: Path, name: str) -> None:
    """The message says which file, and that nothing is downloaded."""
    folder = Path(shutil.copytree(weights, tmp_path / "weights"))
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is not there.*nothing is downloaded"):
        PerceptualTally(folder)


def test_weights_of_another_network_are_refused(weights: Path, tmp_path: Path) -> None:
    """A tensor of another shape, one too many or one too few is named."""
    folder = Path(shutil.copytree(weights, tmp_path / "weights"))
    heads = load_file(folder / HEADS)
    save_file(heads | {"head3": heads["head0"].clone()}, folder / HEADS)
    with pytest.raises(InputError, match=r"head3 is \[1, 64, 1, 1\], expected \[1, 384, 1, 1\]"):
        PerceptualTally(folder)
    save_file(heads | {"head7": heads["head0"].clone()}, folder / HEADS)
    with pytest.raises(InputError, match=r"head7 is .* expected no such tensor"):
        PerceptualTally(folder)
    save_file({name: head for name, head in heads.items() if name != "head6"}, folder / HEADS)
    with pytest.raises(InputError, match="head6 is absent"):
        PerceptualTally(folder)


def test_a_damaged_file_of_weights_is_named(weights: Path, tmp_path: Path) -> None:
    """Half a file is no safetensors."""
    folder = Path(shutil.copytree(weights, tmp_path / "weights"))
    path = folder / BACKBONE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=rf"{BACKBONE} cannot be read"):
        PerceptualTally(folder)
