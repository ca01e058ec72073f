"""How a run ends in Blender: failed with a remedy, cancelled, killed, found again, done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.hosts.blender.shot import FRAMES, Shot, read_exr
from tests.node.stand_ins import SPEAKS_AND_LEAVES, UNTIL_CANCELLED, make_engine

Play = Callable[..., Any]


def test_what_is_missing_is_said_with_its_remedy(play: Play, shot: Shot) -> None:
    """A file without a place, a missing engine and an open input each fail in one line."""
    arguments = {**shot.arguments(), "blend": ""}
    told = play(
        "nothing_to_begin_with",
        **arguments,
        later_blend=str(shot.blend),
        no_engine="/nowhere/infusion-render",
    )
    assert "never saved" in told["unsaved"]
    assert told["unsaved_told"]["state"] == "failed"
    assert told["unsaved_told"]["remedy"] == "Save the file, or choose an output folder."
    assert "/nowhere/infusion-render" in told["engine"]
    assert told["engine_told"]["state"] == "failed"
    assert "infusion-render" in told["engine_told"]["remedy"]
    assert "\n" not in told["engine_told"]["line"] + told["engine_told"]["remedy"]
    assert "Nothing is connected to the plate" in told["unlinked"]


def test_a_killed_and_a_cancelled_run_go_on(play: Play, shot: Shot) -> None:
    """Kill -9 ends in failed, Esc in cancelled with nothing half done, and then all is finished.

    What the killed run had fitted is used by the last.
    """
    told = play("killed_then_cancelled_then_done", **shot.arguments())
    killed, cancelled, done = told["killed"], told["cancelled"], told["done"]
    assert killed["state"] == "failed"
    assert "by signal 9" in killed["line"]
    assert killed["remedy"].startswith("Press Inpaint")
    last = "Esc over the compositor cancels."
    assert any("%" in text and text.endswith(last) for text in killed["headers"])
    assert len(told["esc_elsewhere"]) > 1
    assert set(told["esc_elsewhere"]) == {"PASS_THROUGH"}
    assert told["stopping"] is False
    assert (told["passes"], told["esc"]) == ("PASS_THROUGH", "RUNNING_MODAL")
    assert cancelled["state"] == "cancelled"
    assert cancelled["result"] == ""
    assert not [name for name in told["left_by_cancel"] if "/result/" in name]
    assert (told["error"], done["state"]) == ("", "done")
    for frame in FRAMES:
        assert "infusion.R" in read_exr(Path(done["result"] % frame))
    events = shot.blend.parent / "infusion/shot-Infusion_Inpaint/runs/0003/events.ndjson"
    assert '"outcome": "hit"' in events.read_text()


def test_the_log_of_a_failure_is_in_the_panels_reach(play: Play, shot: Shot) -> None:
    """Its last line stands under the status; the button shows the rest, also after opening anew."""
    engine = make_engine(shot.folder, 'print("first word")\n' + SPEAKS_AND_LEAVES)
    told = play("broken_engine", **shot.arguments(engine=str(engine)))
    assert told["can_before"] is False
    assert told["told"]["state"] == "failed"
    assert "torch said something" in told["panel"]["texts"]
    assert "infusion.open_log" in told["panel"]["buttons"]
    log = shot.blend.parent / "infusion/shot-Infusion_Inpaint/runs/0001/engine.log"
    expected = f"The last lines of {log}:\nfirst word\ntorch said something\n"
    assert told["log"] == told["again"] == expected


def test_a_step_that_raises_holds_up_nothing(play: Play, shot: Shot) -> None:
    """The operator lets go of timer and header and says why; the timer steps all other runs."""
    engine = make_engine(shot.folder, UNTIL_CANCELLED)
    told = play("a_step_that_raises", **shot.arguments(engine=str(engine)))
    assert told["answer"] == "CANCELLED"
    assert told["said"] == ["Infusion Inpaint: Blender said RuntimeError: Blender has moved."]
    assert (told["timers"], told["has_operator"], told["is_watched"]) == (0, False, True)
    assert told["again"] == [0.5, 0.5]
    assert told["steps"] == [3, 2]
    assert told["attached"] == 1  # and raised nothing


def test_esc_while_frames_are_written_starts_no_engine(play: Play, shot: Shot) -> None:
    """It ends as cancelled; the frames so far are whole, and no run was begun."""
    told = play("cancelled_while_writing", **shot.arguments())
    assert told["state"] == "cancelled"
    assert not [name for name in told["files"] if "/runs/" in name or "/." in name]
    written = [name for name in told["files"] if name.endswith(".exr")]
    assert 1 <= len(written) < len(FRAMES)
    for name in written:
        assert np.isfinite(read_exr(shot.blend.parent / name)["R"]).all()


def test_closing_blender_and_opening_the_file_finds_the_run(play: Play, shot: Shot) -> None:
    """The engine goes on while Blender is away; a second Blender follows it and takes it in."""
    slower = shot.arguments()
    slower["knobs"]["settings"] += " sampling_steps=20 steps_per_interval=60"
    begun = play("started_and_left", **slower)
    assert begun["state"] == "running"
    look = shot.look("look")
    told = play("opened_again", blend=str(shot.blend), first_look=look)
    assert (told["opened"]["state"], told["opened"]["pid"]) == ("running", begun["pid"])
    ended = told["ended"]
    assert (ended["state"], ended["layers"]) == ("done", "infusion")
    for frame in FRAMES:
        (path,) = Path(look).glob(f"*{frame}.exr")
        layer = read_exr(Path(ended["result"] % frame))["infusion.G"]
        np.testing.assert_array_equal(read_exr(path)["G"], layer.astype(np.float32))
