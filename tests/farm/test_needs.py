"""A task asks for the machine that the job was written for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infusion_engine.diffusion.layout import Layout
from infusion_engine.farm.needs import Needs, needs_of
from infusion_engine.media.box import Box
from infusion_engine.media.region import Region
from infusion_engine.stage import RenderStage

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

COMPUTING = (RenderStage.BASE, RenderStage.FIT, RenderStage.SAMPLE)


READ = Region(Box(0, 0, 3840, 2160), 3840, 2160)
"""All of a 4K frame, which coarse sizes look at."""


def large(shot: Shot, stage: RenderStage, side: int, **changes: Any) -> Needs:
    """What a task needs of 100 frames of 4K, whose finest size keeps a square of that side."""
    farm = shot.farm(**changes)
    parts = (Box(0, 0, side // 2, side // 2), Box(0, 0, side, side))
    division = replace(farm.division, frames_read=100, layout=Layout(READ, parts))
    return needs_of(farm.plan, division, stage)


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
    computes = stage in (*COMPUTING, RenderStage.ALL)
    assert (found.memory == 3 * 1024 + 2048) is computes
    assert computes or 2048 < found.memory < 2048 + 64


@pytest.mark.parametrize("stage", COMPUTING)
def test_a_gpu_with_the_memory_that_is_allowed(shot: Shot, stage: RenderStage) -> None:
    """Clips are the GPU's as the network is; the machine has them only on their way there."""
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
    assert timed.memory == 2048 + 8 * 1024 > plain.memory


def test_a_longer_shot_needs_more(shot: Shot) -> None:
    """Each frame that is read is held around the matte."""
    short = needs(shot, RenderStage.WRITE, frames="1001")
    assert needs(shot, RenderStage.WRITE).memory >= short.memory > 2048


@pytest.mark.parametrize("stage", [*COMPUTING, RenderStage.PREPARE, RenderStage.WRITE])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_only_read_of_a_frame_counts_nowhere(
    shot: Shot, stage: RenderStage, device: str
) -> None:
    """A 4K plate with a small hole: its levels keep little of it, and that is what is held."""
    found = large(shot, stage, 300, device=device, memory="4G")
    assert found.memory <= 2048 + 4 * 1024
    assert found.gpu_memory <= 4 * 1024
    assert found.scratch == 0


def test_clips_on_disk_are_no_memory(shot: Shot) -> None:
    """On a CPU they take scratch; `--memory` is all that computing takes beside what is fixed."""
    fit = large(shot, RenderStage.FIT, 2000, device="cpu", memory="4G")
    assert fit.memory == 2048 + 4 * 1024
    assert 40 * 1024 < fit.scratch < 50 * 1024
    write = large(shot, RenderStage.WRITE, 2000, device="cpu", memory="4G")
    assert write.memory == 2048 + 1024
    assert 0 < write.scratch < fit.scratch


def test_clips_stay_in_a_gpu(shot: Shot) -> None:
    """What it is asked for is what they take, where that is more than `--memory`; no disk."""
    found = large(shot, RenderStage.FIT, 2000, device="cuda", memory="4G")
    assert 40 * 1024 < found.gpu_memory < 50 * 1024
    assert 2048 + 7 * 1024 < found.memory < 2048 + 9 * 1024
    assert found.scratch == 0


def test_takes_are_written_together(shot: Shot) -> None:
    """Each is held, with the clip that it fills."""
    one, four = (large(shot, RenderStage.WRITE, 300, takes=count) for count in (1, 4))
    assert four.memory - one.memory == pytest.approx(3 * 24 * 300**2 * 100 / 2**20, abs=1)
