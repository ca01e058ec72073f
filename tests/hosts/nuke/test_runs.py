"""Runs through the fake: with the real engine to a layer, and every way in which one may end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from infusion_hosts.nuke_host import buttons, panel, sessions
from infusion_hosts.nuke_host.group import child
from infusion_node.node import InfusionNode
from infusion_node.status import State, Status
from infusion_node.wire.job import RenderJob
from tests.hosts.nuke.conftest import FIRST, LAST, as_fake
from tests.hosts.nuke.fake_nuke import knobs
from tests.hosts.nuke.fake_nuke.pictures import picture
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke

    from infusion_hosts.nuke_host.updates import Follower


def _follower(node: nuke.Group) -> Follower:
    found = sessions.session_of(node).follower
    assert found is not None
    return found


def _text(node: nuke.Group) -> str:
    return str(node[panel.STATUS].value())


def test_a_graded_plate_gets_its_layer(
    node: nuke.Group, stage: Stage, real_engine: Callable[[nuke.Group], None], tmp_path: Path
) -> None:
    """The whole way: rendered, filled, wired; RGB is the plate's own, the layer is the fill."""
    import nuke

    real_engine(node)
    grade: nuke.Node = nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)])
    node.setInput(0, grade)
    buttons.inpaint(node)
    assert stage.messages == []
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Done: 5 frames in ")
    result = tmp_path / "infusion/comp_v001-InfusionInpaint1/runs/0001/result"
    assert {file.name for file in result.iterdir()} >= {"plate.1001.exr", "plate.1005.exr"}
    for frame in (FIRST, LAST):
        plate, output = picture(as_fake(grade), frame), picture(as_fake(node), frame)
        added = {f"infusion.{name}" for name in ("red", "green", "blue", "alpha")}
        assert set(output) == set(plate) | added
        assert all((output[name] == plate[name]).all() for name in plate)
        hole = output["infusion.alpha"] > 0
        assert (hole == (plate["rgba.alpha"] > 0)).all()
        assert (output["infusion.red"] == plate["rgba.red"])[~hole].all()
        assert (output["infusion.red"] != plate["rgba.red"])[hole].any()
    node[panel.MERGE].setValue(True)
    merged = picture(as_fake(node), FIRST)
    assert (merged["rgba.green"] == merged["infusion.green"]).all()
    assert (np.asarray(picture(as_fake(node), LAST + 9)["infusion.alpha"]) == 0).all()
    assert stage.bars[-1][0] > 0


def test_the_artist_goes_on_working(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """Inpaint returns while the engine works; the panel and Nuke's window tell how far it is."""
    stand_in("wait")
    buttons.inpaint(node)
    assert sessions.session_of(node).node.status.state is State.RUNNING
    stage.pump(lambda: _text(node).startswith("27 %: Inpainting, interval 1 of 4"))
    assert (27, "Inpainting, interval 1 of 4, about 12 s left.") in stage.bars
    stage.pump(node[panel.PREVIEW].visible)
    assert str(node[panel.PREVIEW].value()).startswith('<img src="/')
    assert str(node[panel.PREVIEW].value()).endswith('/interval &lt;1&gt;.png" width="480">')
    buttons.inpaint(node)
    assert stage.messages == ["This node is at work already. Cancel it, or wait until it is done."]
    follower = _follower(node)
    buttons.cancel(node)  # the run that a second press did not touch is still being followed
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Cancelled;")
    assert (node[panel.PREVIEW].value(), node[panel.PREVIEW].visible()) == ("", False)


@pytest.mark.parametrize("by", ["button", "window"])
def test_cancel(node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], by: str) -> None:
    """The button and the window's own Cancel both stop the engine, and everything is kept."""
    stand_in("wait")
    buttons.inpaint(node)
    stage.pump(lambda: "Inpainting" in _text(node))
    if by == "button":
        buttons.cancel(node)
    else:
        stage.is_bar_cancelled = True
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node) == (
        "Cancelled; everything finished is kept.\nPress Inpaint to go on from there."
    )
    assert as_fake(node.node("result") or node)["disable"].value() is True


def test_what_the_node_tells_is_nothing_to_undo_or_save(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """Progress leaves the undo history and the saved script alone; a result is worth saving."""
    stand_in("wait")
    stage.undo.clear()
    buttons.inpaint(node)
    stage.is_modified = False
    stage.pump(lambda: "Inpainting" in _text(node))
    assert not stage.root.modified()
    run = sessions.session_of(node).node.run
    assert run is not None
    (run.path / "finish").touch()
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Done")
    assert stage.root.modified()
    assert stage.undo == []
    buttons.clear(node)
    assert stage.undo == []
    hidden = (panel.STATUS, panel.PREVIEW, panel.SETTLED, panel.IDENTITY, panel.WORKSPACE)
    for name in hidden:  # a flag as well: whoever else sets them means nothing to undo either
        node[name].setValue(str(node[name].value()))
    assert stage.undo == []


def test_a_run_needs_no_progress_window(
    node: nuke.Group,
    stage: Stage,
    stand_in: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Nuke that will not show its progress window still gets its result."""

    def refuse(name: str) -> None:
        raise RuntimeError("not from this thread")

    monkeypatch.setattr("nuke.ProgressTask", refuse)
    stand_in("finish")
    buttons.inpaint(node)
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Done")


def test_the_engine_is_missing(
    node: nuke.Group, stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without an engine the node says where it looked, and what to do."""
    monkeypatch.delenv("INFUSION_ENGINE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    buttons.inpaint(node)
    (message,) = stage.messages
    assert message.startswith("The engine was not found: the Engine knob and INFUSION_ENGINE are")
    assert "The engine was not found" in _text(node)
    assert node["infusion_farm"].visible() is False


def test_the_engine_is_killed(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """An engine that dies without a word ends the run, and the panel says how to go on."""
    stand_in("wait")
    buttons.inpaint(node)
    session = sessions.session_of(node)
    stage.pump(lambda: "Inpainting" in _text(node))
    pid = session.node.status.engine_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("The engine ended by signal 9 without a last word.")
    assert "Press Inpaint to go on" in _text(node)


def test_no_knob_is_set_while_nuke_renders(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """What happens during a render is shown once the render is over, its end included."""
    stand_in("finish")
    buttons.inpaint(node)
    session, follower = sessions.session_of(node), _follower(node)
    knobs.RENDERING.set()
    try:
        before = _text(node)
        stage.pump(lambda: session.node.status.state is State.DONE)
        stage.pump(lambda: not follower._is_asked, seconds=5)
        assert _text(node) == before
        assert not follower.is_over
    finally:
        knobs.RENDERING.clear()
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Done")


@pytest.mark.parametrize("breaks", ["always", "at first"])
def test_a_panel_that_takes_no_status_does_not_end_the_run(
    node: nuke.Group,
    stage: Stage,
    stand_in: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    breaks: str,
) -> None:
    """What Nuke refuses to show is said once; the run is followed to its end all the same."""
    shown: list[str] = []
    show = panel.show

    def refuse(group: nuke.Group, status: Status) -> None:
        shown.append(status.line)
        if breaks == "always" or status.state.is_working:
            raise ValueError("a knob of the wrong kind")
        show(group, status)

    stand_in("wait")
    session = sessions.session_of(node)
    monkeypatch.setattr(panel, "show", refuse)
    with pytest.raises(ValueError, match="wrong kind"):
        buttons.inpaint(node)  # its own show; the run has begun and is followed
    stage.pump(lambda: len(shown) > 2)
    assert session.node.status.state.is_working
    assert session.node.run is not None
    (session.node.run.path / "finish").touch()
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert session.node.status.state is State.DONE
    assert [line for line in stage.printed if "a knob of the wrong kind" in line] == stage.printed
    assert len(stage.printed) == 1
    assert _text(node).startswith("Done" if breaks == "at first" else "Ready")


def test_inpaint_waits_for_nuke(node: nuke.Group, stage: Stage) -> None:
    """Nothing is begun while Nuke renders."""
    knobs.RENDERING.set()
    try:
        buttons.inpaint(node)
    finally:
        knobs.RENDERING.clear()
    assert stage.messages == ["Nuke is rendering. Press the button again when it is done."]


def test_a_new_take(node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]) -> None:
    """New take moves the seed past the takes that there are, and goes to work."""
    stand_in("finish")
    node["seed"].setValue(7)
    node["takes"].setValue(2)
    buttons.new_take(node)
    assert node["seed"].value() == 9
    run = sessions.session_of(node).node.run
    assert run is not None
    assert '"seed": 9' in run.job.read_text("utf-8")


def test_report_and_files(
    node: nuke.Group,
    stage: Stage,
    stand_in: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The buttons open the last run's page and the folder of the result, or say there is none."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    buttons.open_report(node)
    buttons.reveal_files(node)
    assert len(stage.messages) == 2
    stand_in("finish")
    buttons.inpaint(node)
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    workspace = tmp_path / "infusion/comp_v001-InfusionInpaint1"
    page = workspace / "runs/0001/report/index.html"
    page.parent.mkdir()
    page.touch()
    result = workspace / "runs/0001/result"
    result.mkdir()
    buttons.open_report(node)
    buttons.reveal_files(node)
    assert opened == [page.as_uri(), result.as_uri()]
    stand_in("wait")
    buttons.inpaint(node)
    buttons.cancel(node)
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    buttons.reveal_files(node)  # what it shows is that of the run before
    assert opened[2:] == [result.as_uri()]


def _with_farm(engine: Path) -> None:
    """The farm's command beside an engine: as a stand-in it tells what the engine would."""
    engine.with_name("infusion-farm").symlink_to(engine)


def test_send_to_farm(
    node: nuke.Group,
    stage: Stage,
    stand_in: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The button is there where infusion-farm is; the run has frames of its own, before and after.

    So what its tasks still read is not written anew by whoever presses Inpaint later.
    """
    import nuke

    monkeypatch.setenv("INFUSION_FARM", "deadline-cloud")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    engine = stand_in("finish")
    assert node["infusion_farm"].visible() is False
    _with_farm(engine)
    stage.type_in(as_fake(node), "engine", str(engine))
    assert node["infusion_farm"].visible() is True
    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    buttons.send_to_farm(node)
    assert stage.messages == []
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Done: 5 frames in ")
    own = tmp_path / "infusion/comp_v001-InfusionInpaint1/runs/0001"
    job = RenderJob.from_json((own / "job.json").read_text("utf-8"))
    assert (job.plate, job.output) == (
        str(own / "footage/plate/plate.%04d.exr"), str(own / "result"),
    )  # fmt: skip
    assert job.cache == str(own.parents[1] / "cache")
    assert len(stage.rendered) == 5
    words = json.loads((own / "run.json").read_text())["command"]
    assert words[1:3] == ["submit", "--wait"]
    assert str(child(node, "result")["file"].value()).startswith(str(own / "result"))
    assert all(line.startswith("Writing the plate") for _, line in stage.bars)  # a farm takes hours

    (own / "result").mkdir()
    sessions.session_of(node).node = InfusionNode(sessions.session_of(node).host)
    buttons.reveal_files(node)  # as after the script was opened again
    assert opened == [(own / "result").as_uri()]
    buttons.open_report(node)
    assert stage.messages == ["A farm's run has no report: none of its tasks sees all of the work."]
    buttons.new_take(node)
    second = json.loads((own.with_name("0002") / "run.json").read_text())
    assert second["command"][1:3] == ["submit", "--wait"]


@pytest.mark.slow
def test_a_farm_s_frames_become_the_layer(
    node: nuke.Group,
    stage: Stage,
    real_engine: Callable[[nuke.Group], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole way with OpenJD's own runner as the farm, which does every task on this machine."""
    monkeypatch.setenv("INFUSION_FARM", "openjd")
    real_engine(node)
    buttons.send_to_farm(node)
    assert stage.messages == []
    follower = _follower(node)
    stage.pump(lambda: follower.is_over)
    assert _text(node).startswith("Done: 5 frames in ")
    read = node.input(0)
    assert read is not None
    for frame in (FIRST, LAST):
        plate, output = picture(as_fake(read), frame), picture(as_fake(node), frame)
        assert (output["infusion.alpha"] > 0).any()
        assert (output["rgba.red"] == plate["rgba.red"]).all()


def test_a_button_runs_what_is_written_on_it(node: nuke.Group, stage: Stage) -> None:
    """Each button's Python is valid, and calls its action with the node."""
    import nuke

    for button in panel.BUTTONS:
        knob = node[button.name]
        assert callable(getattr(buttons, button.action))
        assert f"buttons.{button.action}(nuke.thisNode())" in str(knob.value())
    cancel = node["infusion_cancel"]
    assert isinstance(cancel, nuke.PyScript_Knob)
    cancel.execute()
    assert stage.messages == ["This node is not at work."]
