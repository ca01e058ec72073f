"""A task asks for the machine that the job was written for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infusion_engine.farm.needs import Needs, needs_of
from infusion_engine.stage import RenderStage

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

COMPUTING = (RenderStage.BASE, RenderStage.FIT, RenderStage.SAMPLE)


def needs(shot: Shot, stage: RenderStage, **changes: Any) -> Needs:
    """What a task of a stage needs."""
    farm = shot.farm(**changes)
    return needs_of(farm.plan, farm.division, stage)


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("stage", RenderStage)
def test_no_gpu_unless_named(shot: Shot, stage: RenderStage, device: str) -> None:
    """A CPU's job needs its memory where it computes, and the threads it says."""
    found = needs(shot, stage, device=device, memory="3G", threads=2)
    assert (found.gpus, found.gpu_memory, found.cores) == (0, 0, 2)
    assert (found.memory > 3 * 1024 + 2048) is (stage in (*COMPUTING, RenderStage.ALL))


@pytest.mark.parametrize("stage", COMPUTING)
def test_a_gpu_with_the_memory_that_is_allowed(shot: Shot, stage: RenderStage) -> None:
    """What the network takes is the GPU's; the shot is held by the machine."""
    found = needs(shot, stage, device="cuda", memory="3G", threads=None)
    assert (found.gpus, found.gpu_memory, found.cores) == (1, 3 * 1024, None)
    assert 2048 < found.memory < 3 * 1024


@pytest.mark.parametrize("precision", ["bf16", "fp32", "auto"])
def test_preparing_needs_the_gpu_that_fits_need(shot: Shot, precision: str) -> None:
    """Whatever is left open to it, since it ends with a device error without; writing does not."""
    settings = {**shot.job().settings, "precision": precision}
    prepare = needs(shot, RenderStage.PREPARE, device="cuda", settings=settings, memory="3G")
    assert (prepare.gpus, prepare.gpu_memory) == (1, 3 * 1024)
    assert needs(shot, RenderStage.WRITE, device="cuda", settings=settings).gpus == 0


def test_preparing_needs_memory_where_it_measures(shot: Shot) -> None:
    """On a CPU the network is there only to find out how many steps fit the minutes."""
    steps = {key: value for key, value in shot.job().settings.items() if "steps" not in key}
    plain = needs(shot, RenderStage.PREPARE, settings=steps)
    timed = needs(shot, RenderStage.PREPARE, settings=steps, minutes=3.0)
    assert timed.memory == plain.memory + 8 * 1024


def test_a_longer_shot_needs_more(shot: Shot) -> None:
    """Each frame that is read is held around the matte."""
    short = needs(shot, RenderStage.WRITE, frames="1001")
    assert needs(shot, RenderStage.WRITE).memory >= short.memory > 2048
