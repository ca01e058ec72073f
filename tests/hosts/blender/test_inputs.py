"""Which inputs are handed over as files, where a node's folder is, and what the sidebar draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from infusion_node.panel import PANEL, resting
from infusion_node.wire.knobs import Kind
from tests.hosts.blender.shot import FRAMES, HEIGHT, WIDTH, Shot, write_exr
from tests.node.stand_ins import UNTIL_CANCELLED, make_engine

Play = Callable[..., Any]


def _write_moved(shot: Shot) -> str:
    """Frames whose pixels are not where Blender shows them."""
    grey = np.ones((HEIGHT, WIDTH), np.float16)
    window = (np.array([4, 2], np.int32), np.array([WIDTH + 3, HEIGHT + 1], np.int32))
    for frame in FRAMES:
        path = shot.folder / f"moved/fire.{frame}.exr"
        write_exr(path, dict.fromkeys("RGB", grey), dataWindow=window)
    return str(shot.folder / "moved/fire.1001.exr")


def test_only_files_that_the_input_shows_bit_for_bit_are_handed_over(
    play: Play, shot: Shot
) -> None:
    """In doubt frames are written: other numbers, another colour space, nodes in between."""
    told = play("what_goes_as_files", **shot.arguments(), moved=_write_moved(shot))
    plate = [1001, 1004, str(shot.folder / "plate/fire.%04d.exr")]
    written = [1001, 1004, None]
    assert told["plain"] == told["reroute"] == told["raw"] == plate
    assert told["matte"] == [1001, 1004, str(shot.folder / "matte/hole.%04d.exr")]
    for case in ("computed", "shifted", "muted", "srgb", "colour_of_a_matte", "moved_window"):
        assert told[case] == written, case
    assert told["nothing"] is None
    assert told["content"][0] == told["content"][1] != told["touched"]
    assert told["no_content"] is None
    assert told["no_matte"] == "Nothing is connected to the matte. Connect the matte."
    assert told["matte_in_files"] is None


def test_the_folder_stays_when_names_change(play: Play, shot: Shot) -> None:
    """It lies beside the file and is named once; a duplicated node gets one of its own."""
    later = shot.blend.with_name("shot_v002.blend")
    told = play("places", **shot.arguments(), later_blend=str(later))
    beside = shot.blend.parent / "infusion"
    assert told["first"] == told["renamed"] == told["still"]
    assert told["first"] == str(beside / "shot-Infusion_Inpaint")
    assert told["same_group"]
    assert told["kept_alone"]  # a group that is kept without users (the shield) is no twin's
    assert told["twin"] == str(beside / "shot_v002-Twin")


def test_a_copied_group_works_in_a_folder_of_its_own(play: Play, shot: Shot) -> None:
    """The copy came with the other's folder; it takes neither that run for its own nor its place.

    It begins while the other is at work, after the file was opened again.
    """
    engine = make_engine(shot.folder, UNTIL_CANCELLED)
    told = play("copied_while_at_work", **shot.arguments(engine=str(engine)))
    assert told["copied"]
    assert told["opened"] == ["running", "idle"]
    beside = shot.blend.parent / "infusion"
    assert told["runs"] == [
        str(beside / "shot-Infusion_Inpaint/runs/0001"), str(beside / "shot-Twin/runs/0001"),
    ]  # fmt: skip


def test_a_node_that_is_added_again_does_not_find_the_runs_of_the_deleted(
    play: Play, shot: Shot
) -> None:
    """It has the name of the deleted one, and a folder of its own."""
    first, second = play("added_again", **shot.arguments())
    assert second == first + "-2"


def test_the_sidebar_has_every_knob_and_says_what_went_wrong(play: Play, shot: Shot) -> None:
    """Each knob of the one table has a widget that rests where the table says."""
    told = play("drawn_panels", **shot.arguments(), no_engine="/nowhere/infusion-render")
    assert sorted(told["idle"]["knobs"]) == sorted(knob.name for knob in PANEL)
    for knob in PANEL:
        expected = resting(knob)
        if knob.kind is Kind.NUMBER:
            expected = pytest.approx(expected)
        assert told["held"][knob.name] == expected, knob.name
    assert "Ready." in told["idle"]["texts"]
    assert "infusion.inpaint" in told["idle"]["buttons"]
    failed = " ".join(told["failed"]["texts"])
    assert "There is no infusion-render at '/nowhere/infusion-render'" in failed
    assert "Name the infusion-render command" in failed


def test_a_new_take_is_none_of_those_that_there_are(play: Play, shot: Shot) -> None:
    """Of three takes from seed 4 on the next one that is new has seed 7."""
    told = play("takes_follow_each_other", **shot.arguments(engine="/nowhere", seed=3))
    assert told == [4, 7, 10]


def test_disabling_the_extension_leaves_nothing_of_it(play: Play, shot: Shot) -> None:
    """No module, path, class or handler stays; the node does, and works once it is enabled."""
    told = play("disabled_and_enabled", **shot.arguments())
    for kind in ("modules", "path", "classes", "handlers"):
        assert told[kind] == [], kind
    assert told["inputs"] == ["Image", "Matte"]
    assert told["kept"]
    assert "Ready." in told["panel"]["texts"]


def test_the_doctor_beside_the_engine_is_asked(play: Play, shot: Shot) -> None:
    """What it says stands in a text; where there is none, the message names it."""
    beside, without = shot.folder / "engine", shot.folder / "another"
    for folder in (beside, without):
        folder.mkdir()
        for name in ("infusion-render", "infusion-doctor"):
            (folder / name).write_text('#!/bin/sh\nsleep 0.5; echo "OK   $*"\n')
            (folder / name).chmod(0o755)
    (without / "infusion-doctor").unlink()
    arguments = shot.arguments(engine=str(beside))
    said, error, waited = play("asked_doctor", **arguments, without=str(without))
    assert said.strip() == f"OK   --cache {shot.folder / 'cache'} --device cpu"
    see = "See the text 'Infusion doctor' in a text editor."
    assert waited == [["PASS_THROUGH"], ["FINISHED"], [see], 0]
    assert "infusion-doctor" in error
    assert "Install engine and node of one release" in error
