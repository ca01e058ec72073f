"""Which palette a run holds its fill to, and where it leaves what other frames saw alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from infusion_engine import crossing
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.diffusion.resample import resampled_interval
from infusion_engine.diffusion.sample import Scene
from infusion_engine.infuse import Infusion, Source
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Settings
from tests.tiny import TINY

PAPER = replace(PRESETS["paper"], channels=4, intervals=2, steps_per_interval=1, sampling_steps=1)


def shot() -> PyramidLevel:
    """A still, smooth picture under grain that moves, of which a passing matte uncovers all."""
    generator = torch.Generator().manual_seed(0)
    hole = torch.zeros(1, 8, 24, 40)
    for t in range(8):
        hole[:, t, 8:15, 4 * t : 4 * t + 7] = 1.0
    down, across = torch.linspace(-1, 1, 24)[:, None], torch.linspace(-1, 1, 40)
    still = torch.stack([down + 0 * across, across + 0 * down, 0.5 * down * across])[:, None]
    grain = 0.02 * torch.randn(3, 8, 24, 40, generator=generator)
    return PyramidLevel((0.8 * still + grain) * (1 - hole), hole)


def scenes(folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Scene]:
    """What each interval of a run is sampled in."""
    found: list[Scene] = []

    def noted(denoiser: Any, x: Tensor, scene: Scene, **others: Any) -> tuple[Tensor, Tensor]:
        found.append(scene)
        return resampled_interval(denoiser, x, scene, **others)

    monkeypatch.setattr(crossing, "resampled_interval", noted)
    finest = shot()
    sizes = (coarser(finest), finest) if settings.coarsest_hole_pixels else (finest,)
    Infusion(
        Source(levels=sizes, clip="a" * 64, encoding={"knee": 0.1}),
        settings,
        seed=0,
        take=0,
        store=Store(folder, on_damage=lambda _: None),
        report=Report(),
        threads=1,
        memory=2**33,
    ).run()
    return found


def test_a_place_is_still_by_its_whole_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a finer level too, whose detail is mostly grain and never stands still."""
    for scene in scenes(tmp_path, TINY, monkeypatch):
        assert scene.stillness is not None
        assert scene.stillness.known.shape[2:] == scene.hole.shape[2:]
        assert float(scene.stillness.known.mean()) > 0.9


def test_each_level_has_a_palette_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own unit: the colours of what is known there."""
    found = scenes(tmp_path, TINY, monkeypatch)
    assert len(found) == 4
    for scene in found:
        assert scene.palette is not None
        seen = scene.x_0[:, scene.hole[0] == 0.0]
        assert torch.allclose(scene.palette.mean, seen.mean(1), atol=0.2 * float(seen.std()))
        moved = (scene.palette.held(scene.x_0) - scene.x_0).abs().amax(0)[scene.hole[0] == 0.0]
        assert float(moved.median()) < 1e-4


def test_the_published_method_knows_no_palette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its predictions keep to the range of each channel alone."""
    for scene in scenes(tmp_path, PAPER, monkeypatch):
        assert scene.palette is None
        assert scene.stillness is None


def test_a_wall_comes_back_as_it_was_if_frames_enough_saw_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every level, whatever the fit says; with 0 the fit has the last word."""
    held = scenes(tmp_path / "held", replace(TINY, still_frames=4), monkeypatch)
    free = scenes(tmp_path / "free", replace(TINY, still_frames=0), monkeypatch)
    for one, other in zip(held, free, strict=True):
        wrong = torch.full_like(one.x_0, 0.3)
        assert one.stillness is not None
        assert other.stillness is not None
        mean = one.stillness.mean.expand_as(wrong)
        # What is left is the grain, of which three deviations are let be.
        assert float((one.clipped(wrong, 500) - mean).abs().mean()) < 0.4 * float(
            (other.clipped(wrong, 500) - mean).abs().mean()
        )
