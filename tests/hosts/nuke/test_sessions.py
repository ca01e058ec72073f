"""Saved, opened again, copied, pasted, renamed and deleted: which run belongs to which node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from infusion_hosts.nuke_host import buttons, panel, sessions
from infusion_node.status import State
from tests.hosts.nuke.conftest import Shot, as_fake, read_node
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke
    import pytest


def _text(node: nuke.Group) -> str:
    return str(node[panel.STATUS].value())


def _reopened(script: Path) -> nuke.Group:
    """The script closed and opened again, in a Nuke that knows nothing of before."""
    import nuke

    nuke.scriptSave(script.as_posix())
    for session in sessions._SESSIONS.values():
        session.unfollow()
    sessions._SESSIONS.clear()
    nuke.scriptOpen(script.as_posix())
    found = nuke.toNode("InfusionInpaint1")
    assert found is not None
    return cast("nuke.Group", found)


def _finish(node: nuke.Group, stage: Stage) -> None:
    """Inpaint to the end."""
    buttons.inpaint(node)
    follower = sessions.session_of(node).follower
    assert follower is not None
    stage.pump(lambda: follower.is_over)


def test_a_run_is_found_again(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """A script opened in the middle of a run follows it to its end and wires the result."""
    stand_in("wait")
    buttons.inpaint(node)
    run = sessions.session_of(node).node.run
    assert run is not None
    again = _reopened(tmp_path / "comp_v001.nk")
    session = sessions.session_of(again)
    assert session.node.status.state is State.RUNNING
    stage.pump(lambda: "Inpainting" in _text(again))
    (run.path / "finish").touch()
    follower = session.follower
    assert follower is not None
    stage.pump(lambda: follower.is_over)
    assert _text(again).startswith("Done")
    assert again.node("copy1") is not None


def test_a_run_that_ended_meanwhile(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """A run that ended while the script was closed is shown when it is opened."""
    stand_in("finish")
    buttons.inpaint(node)
    session = sessions.session_of(node)
    session.unfollow()
    while session.node.poll().state is State.RUNNING:
        pass
    again = _reopened(tmp_path / "comp_v001.nk")
    follower = sessions.session_of(again).follower
    assert follower is not None
    stage.pump(lambda: follower.is_over)
    assert again.node("copy1") is not None


def test_a_script_whose_runs_are_elsewhere(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """Saved amid a run and opened where nothing is known of it, the panel tells of no progress."""
    stand_in("wait")
    buttons.inpaint(node)
    stage.pump(lambda: "Inpainting" in _text(node))
    session = sessions.session_of(node)
    session.node.cancel()
    while session.node.poll().state is State.RUNNING:
        pass
    (tmp_path / "infusion").rename(tmp_path / "of another machine")
    assert _text(_reopened(tmp_path / "comp_v001.nk")) == "Ready."


def test_a_finished_node_is_left_alone(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """What was shown and saved is not shown again, nor what was cleared."""
    stand_in("finish")
    _finish(node, stage)
    again = _reopened(tmp_path / "comp_v001.nk")
    assert sessions.session_of(again).follower is None
    assert again.node("copy1") is not None
    assert _text(again).startswith("Done")
    buttons.clear(again)
    cleared = _reopened(tmp_path / "comp_v001.nk")
    assert sessions.session_of(cleared).follower is None
    assert cleared.node("copy1") is None


def test_a_copy_is_a_node_of_its_own(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], shot: Shot, tmp_path: Path
) -> None:
    """A pasted copy shows what was copied, and works in a folder of its own."""
    import nuke

    stand_in("finish")
    node["seed"].setValue(3)
    _finish(node, stage)
    as_fake(node).selectOnly()
    nuke.nodeCopy((tmp_path / "clipboard").as_posix())
    copy = cast("nuke.Group", nuke.nodePaste((tmp_path / "clipboard").as_posix()))
    assert copy.name() == "InfusionInpaint2"
    assert copy["seed"].value() == 3
    assert copy.node("copy1") is not None
    assert copy[panel.IDENTITY].value() != node[panel.IDENTITY].value()
    copy.setInput(0, read_node(shot.plate))
    _finish(copy, stage)
    folders = [str(each[panel.WORKSPACE].value()) for each in (node, copy)]
    assert [Path(folder).name for folder in folders] == [
        "comp_v001-InfusionInpaint1", "comp_v001-InfusionInpaint2",
    ]  # fmt: skip
    assert sessions.session_of(node) is not sessions.session_of(copy)


def test_a_copy_of_a_node_at_work(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """A copy does not follow, and cannot stop, the run of what it was copied from."""
    import nuke

    stand_in("wait")
    buttons.inpaint(node)
    stage.pump(lambda: "Inpainting" in _text(node))
    as_fake(node).selectOnly()
    nuke.nodeCopy((tmp_path / "clipboard").as_posix())
    copy = cast("nuke.Group", nuke.nodePaste((tmp_path / "clipboard").as_posix()))
    assert sessions.session_of(copy).node.status.state is State.IDLE
    assert _text(copy) == "Ready."
    buttons.cancel(copy)
    assert sessions.session_of(node).node.status.state is State.RUNNING


def test_a_name_that_was_another_nodes(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], shot: Shot
) -> None:
    """A node that takes a renamed node's name does not take its folder."""
    stand_in("finish")
    _finish(node, stage)
    node.setName("Cleanup")
    other = sessions.create()
    assert other.name() == "InfusionInpaint1"
    other.setInput(0, read_node(shot.plate))
    _finish(other, stage)
    assert str(other[panel.WORKSPACE].value()).endswith("comp_v001-InfusionInpaint1-2")
    assert str(node[panel.WORKSPACE].value()).endswith("comp_v001-InfusionInpaint1")


def test_a_next_version_keeps_its_fill(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """A script saved under the next version's name goes on with the same files."""
    import nuke

    stand_in("finish")
    _finish(node, stage)
    nuke.scriptSaveAs((tmp_path / "comp_v002.nk").as_posix())
    again = _reopened(tmp_path / "comp_v002.nk")
    assert str(again[panel.WORKSPACE].value()).endswith("comp_v001-InfusionInpaint1")
    assert again.node("copy1") is not None


def test_a_copy_in_another_shots_script(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], shot: Shot, tmp_path: Path
) -> None:
    """It works beside that script: nothing of the first shot is replaced. Unsaved, it refuses."""
    import nuke

    stand_in("finish")
    _finish(node, stage)
    first = str(node[panel.WORKSPACE].value())
    as_fake(node).selectOnly()
    nuke.nodeCopy((tmp_path / "clipboard").as_posix())
    nuke.scriptClear()
    copy = cast("nuke.Group", nuke.nodePaste((tmp_path / "clipboard").as_posix()))
    copy.setInput(0, read_node(shot.plate))
    buttons.inpaint(copy)
    assert "never saved" in stage.messages.pop()
    (tmp_path / "sh020").mkdir()
    nuke.scriptSaveAs((tmp_path / "sh020/comp_v001.nk").as_posix())
    _finish(copy, stage)
    second = Path(str(copy[panel.WORKSPACE].value()))
    assert second.parent == tmp_path / "sh020/infusion"
    assert [path.name for path in (second / "runs").iterdir()] == ["0001"]
    assert [path.name for path in (Path(first) / "runs").iterdir()] == ["0001"]


def test_a_script_that_was_moved_with_its_folder(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """The node finds its own files where they are now."""
    import nuke

    stand_in("finish")
    _finish(node, stage)
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "infusion").rename(moved / "infusion")
    nuke.scriptSaveAs((moved / "comp_v002.nk").as_posix())
    _finish(node, stage)
    folder = Path(str(node[panel.WORKSPACE].value()))
    assert folder == moved / "infusion/comp_v001-InfusionInpaint1"
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["0001", "0002"]


def test_a_deleted_node_ends_quietly(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """Deleting a node at work raises nothing anywhere; the engine goes on."""
    import nuke

    stand_in("wait")
    buttons.inpaint(node)
    session = sessions.session_of(node)
    follower = session.follower
    assert follower is not None
    nuke.delete(node)
    stage.pump(lambda: follower.is_over)
    assert not session.is_alive
    assert stage.printed == []
    assert session.node.status.state is State.RUNNING
    session.node.cancel()
    while session.node.poll().state is State.RUNNING:
        pass


def test_other_groups_are_none_of_ours(stage: Stage) -> None:
    """A Group that somebody else has made is never touched."""
    import nuke

    other = nuke.createNode("Group")
    assert not panel.is_ours(other)
    assert sessions._SESSIONS == {}


def test_a_terminal_follows_nothing(
    node: nuke.Group,
    stage: Stage,
    stand_in: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a GUI, opening a script starts no thread: a farm only wants to render it."""
    stand_in("wait")
    buttons.inpaint(node)
    first = sessions.session_of(node)
    monkeypatch.setattr("nuke.GUI", False)
    again = _reopened(tmp_path / "comp_v001.nk")
    assert sessions.session_of(again).follower is None
    first.node.cancel()
    while first.node.poll().state is State.RUNNING:
        pass
