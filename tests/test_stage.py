"""Stages by name: which options belong to which, said before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from infusion_engine.errors import UsageError
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.stage import RenderStage, StageRequest, requested

NONE: dict[str, Any] = {"interval": None, "take": None, "write_frames": None}


def test_nothing_said_is_the_whole_render() -> None:
    """As it always was."""
    assert requested("all", **NONE) == StageRequest()
    assert StageRequest().is_whole


@pytest.mark.parametrize(
    ("stage", "given", "found"),
    [
        ("prepare", {}, StageRequest(RenderStage.PREPARE)),
        ("base", {}, StageRequest(RenderStage.BASE)),
        ("fit", {"interval": 7}, StageRequest(RenderStage.FIT, interval=7)),
        ("sample", {"take": 2}, StageRequest(RenderStage.SAMPLE, take=2)),
        ("write", {}, StageRequest(RenderStage.WRITE)),
        (
            "write",
            {"write_frames": "1001-1010"},
            StageRequest(RenderStage.WRITE, frames=FrameRange(1001, 1010)),
        ),
    ],
)
def test_each_stage_with_its_own_option(
    stage: str, given: dict[str, Any], found: StageRequest
) -> None:
    """What was asked for, and nothing else."""
    assert requested(stage, **{**NONE, **given}) == found


@pytest.mark.parametrize("stage", [stage.value for stage in RenderStage])
@pytest.mark.parametrize(
    ("option", "owner"), [("interval", "fit"), ("take", "sample"), ("write_frames", "write")]
)
def test_an_option_of_another_stage_is_refused(stage: str, option: str, owner: str) -> None:
    """By name, with the stage that it belongs to."""
    if stage == owner:
        return
    value: Any = "1-2" if option == "write_frames" else 1
    with pytest.raises(UsageError, match=f"--stage {owner}"):
        requested(stage, **{**NONE, option: value})


@pytest.mark.parametrize("stage", ["fit", "sample"])
def test_a_part_that_is_not_named_is_refused(stage: str) -> None:
    """A task is one interval, or one take."""
    with pytest.raises(UsageError, match="is missing"):
        requested(stage, **NONE)


@pytest.mark.parametrize(("stage", "option"), [("fit", "interval"), ("sample", "take")])
@pytest.mark.parametrize("number", [0, -1])
def test_parts_are_counted_from_one(stage: str, option: str, number: int) -> None:
    """A scheduler that counts from 0 would leave out the last without a word."""
    with pytest.raises(UsageError, match=f"--{option} {number}: these are counted from 1"):
        requested(stage, **{**NONE, option: number})


def test_frames_that_are_no_range_are_refused() -> None:
    """As everywhere."""
    with pytest.raises(UsageError, match="not a frame range"):
        requested("write", **{**NONE, "write_frames": "1001,1003"})
