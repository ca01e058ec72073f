"""Where clips lie: in memory while they fit there, else on a disk that has room for them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.errors import StorageError
from infusion_engine.media.box import Box
from infusion_engine.plan import Plan, prepare
from infusion_engine.shelving import check_room, shelf_for
from infusion_engine.stage import RenderStage
from infusion_node.wire.job import RenderJob

CPU = torch.device("cpu")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Three frames; the folder for what does not fit into memory is not there yet."""
    for frame in range(1001, 1004):
        for name, mode in (("plate", "RGB"), ("matte", "L")):
            path = tmp_path / name / f"{name}.{frame}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new(mode, (24, 16), "grey").save(path)
    return prepare(
        RenderJob(
            plate=str(tmp_path / "plate"),
            matte=str(tmp_path / "matte"),
            output=str(tmp_path / "out"),
            cache=str(tmp_path / "cache"),
            memory="2G",
        )
    )


@pytest.mark.parametrize(("side", "on_disk"), [(100, False), (2000, True)])
def test_a_large_clip_lies_on_disk(plan: Plan, side: int, on_disk: bool) -> None:
    """More than half of the memory's worth of clips goes to the disk."""
    assert shelf_for(plan, [Box(0, 0, side, side)], CPU).on_disk == on_disk


def test_a_stage_has_its_machine_s_scratch_folder(plan: Plan, tmp_path: Path) -> None:
    """A farm's cache lies on a network: large clips go to the task's own temporary folder."""
    named = plan.job.overridden(scratch=str(tmp_path / "own"))
    assert prepare(plan.job).scratch == tmp_path / "cache"
    for stage in RenderStage:
        if stage is not RenderStage.ALL:
            assert prepare(plan.job, stage=stage).scratch == Path(tempfile.gettempdir())
        assert prepare(named, stage=stage).scratch == tmp_path / "own"


def test_a_disk_without_room_is_told_before_anything_is_fitted(tmp_path: Path) -> None:
    """Of a clip that no disk holds: what it takes, what there is, and three ways out."""
    with pytest.raises(StorageError) as told:
        check_room(Shelf(tmp_path), 3 * 10**12)
    assert "about 279397 GiB" in str(told.value)
    assert str(tmp_path) in str(told.value)
    assert all(word in told.value.remedy for word in ("--scratch", "--memory", "--frames"))
    check_room(Shelf(), 3 * 10**12)  # in memory nothing is asked of a disk
