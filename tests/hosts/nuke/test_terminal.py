"""`nuke -t`: a script's nodes run to their end, and the licensed user's smoke test passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_hosts.nuke_host import panel, sessions, smoke_test, terminal
from infusion_node.node import InfusionNode
from infusion_node.status import State
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke


@pytest.fixture(autouse=True)
def _no_gui(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nuke.GUI", False)


def _saved(tmp_path: Path) -> str:
    import nuke

    script = (tmp_path / "comp_v001.nk").as_posix()
    nuke.scriptSave(script)
    return script


def test_the_smoke_test_passes(
    stage: Stage,
    real_engine: Callable[[nuke.Group], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a licensed user runs makes its own shot, fills it with the real engine, and passes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert smoke_test.main() == 0, stage.printed
    assert stage.printed[-1] == "PASS"


def test_the_smoke_test_says_what_failed(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an engine the smoke test fails and says why."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("INFUSION_ENGINE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert smoke_test.main() == 1
    assert stage.printed[-1].startswith("FAILED: the run ended: The engine was not found")


def test_a_script_runs_to_its_end(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """Every node of the script is run; --save keeps the wired result, --frames is the range."""
    stand_in("finish")
    script = _saved(tmp_path)
    assert terminal.main(["--frames=1002-1003", "--save", script]) == 0
    assert stage.printed[0] == "InfusionInpaint1:"
    assert stage.printed[-1].startswith("  Done")
    job = next(tmp_path.glob("infusion/*/runs/0001/job.json")).read_text("utf-8")
    assert '"frames": "1002-1003"' in job
    assert '"copy1"' in Path(script).read_text("utf-8")


def test_what_fails_is_said(
    node: nuke.Group, stage: Stage, tmp_path: Path, stand_in: Callable[[str], Path]
) -> None:
    """An unknown node, and one that cannot run, end with 1 and with the reason."""
    stand_in("finish")
    assert terminal.main([_saved(tmp_path), "Nobody"]) == 1
    assert stage.printed[-1] == (
        "There is no Infusion Inpaint called 'Nobody'; found: InfusionInpaint1."
    )
    stage.root.node("InfusionInpaint1").setInput(0, None)  # type: ignore[union-attr]
    assert terminal.main([_saved(tmp_path), "InfusionInpaint1"]) == 1
    assert stage.printed[-1] == "  Nothing is connected to the plate. Connect the plate."


def test_a_run_that_goes_on_is_waited_for(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second engine in the same folder would mix frames: the terminal waits, then works."""
    stand_in("wait")
    other = InfusionNode(sessions.session_of(node).host)
    for _ in other.inpaint(panel.shown(node)):
        pass
    run = other.run
    assert run is not None
    monkeypatch.setenv("STAND_IN", "finish")
    said: list[str] = []

    def say(line: str) -> None:
        if "Inpainting" in line:
            (run.path / "finish").touch()
        said.append(line)

    assert terminal.run(node, say).state is State.DONE
    assert said[0] == f"A run goes on already, {run.path}: waiting for its end."
    ends = [number for number, line in enumerate(said) if line.startswith("Done")]
    assert len(ends) == 2
    assert "Starting the engine." in said[ends[0] : ends[1]]
    assert sorted(path.name for path in run.path.parent.iterdir()) == ["0001", "0002"]


def test_ctrl_c_stops_the_engine(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """Who interrupts the terminal does not leave an engine behind."""
    stand_in("wait")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "Inpainting" in line and sum("Inpainting" in text for text in said) == 1:
            raise KeyboardInterrupt

    assert terminal.run(node, say).state is State.CANCELLED
