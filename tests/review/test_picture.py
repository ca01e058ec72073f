"""Tests of pictures as files and at other sizes; the rest is tested where they are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infusion_engine.review.picture import fitted, reduced, save_jpeg, save_png


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_a_png_keeps_every_bit(tmp_path: Path) -> None:
    """What is written is what is read."""
    save_png(_noise(20, 30), tmp_path / "a.png")
    assert np.array_equal(_pixels(tmp_path / "a.png"), _noise(20, 30))


@pytest.mark.parametrize("size", [(8, 8), (256, 256), (720, 1280)])
def test_a_jpeg_takes_even_pure_noise(tmp_path: Path, size: tuple[int, int]) -> None:
    """Grain at full colour resolution fills a JPEG most; it comes out much as it was."""
    save_jpeg(_noise(*size), tmp_path / "a.jpg")
    error = _pixels(tmp_path / "a.jpg").astype(int) - _noise(*size)
    assert np.abs(error).mean() < 6.0


def test_small_pictures_are_enlarged_or_left() -> None:
    """Whole pixels only, or none at all."""
    picture = _noise(10, 20)
    assert np.array_equal(fitted(picture, across=65, down=65)[::3, ::3], picture)
    assert reduced(picture, across=65, down=65) is picture


def test_large_pictures_are_averaged_down() -> None:
    """To fit both sides, their shape kept."""
    picture = np.zeros((100, 400, 3), np.uint8)
    picture[:, ::2] = 100
    small = reduced(picture, across=100, down=100)
    assert small.shape == (25, 100, 3)
    assert (small == 50).all()
    assert np.array_equal(fitted(picture, across=100, down=100), small)
