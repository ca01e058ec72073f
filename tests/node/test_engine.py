"""Finding the engine, and asking who it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from infusion_engine.doctor.handshake import asked
from infusion_node.engine import ask, find_engine, without_window
from infusion_node.errors import EngineError
from infusion_node.wire.handshake import engine_environment
from tests.node.stand_ins import FINISH, make_engine


def test_the_knob_comes_before_the_variable_and_the_path(tmp_path: Path) -> None:
    """Each names its engine, and says by what it was found."""
    engines = [make_engine(tmp_path / name, FINISH) for name in ("knob", "variable", "path")]
    environment = {"INFUSION_ENGINE": str(engines[1]), "PATH": str(engines[2].parent)}

    assert find_engine(str(engines[0]), environment) == (engines[0], "the Engine knob")
    assert find_engine(None, environment) == (engines[1], "INFUSION_ENGINE")
    assert find_engine("", {"PATH": environment["PATH"]}) == (engines[2], "PATH")


def test_the_folder_of_an_environment_is_enough(tmp_path: Path) -> None:
    """A person names the environment; the command is in its bin."""
    engine = make_engine(tmp_path, FINISH)
    assert find_engine(str(tmp_path / "engine"), {})[0] == engine
    assert find_engine(str(engine.parent), {})[0] == engine


def test_windows_keeps_commands_elsewhere(tmp_path: Path) -> None:
    """In a Windows environment the command lies in Scripts and has a suffix."""
    command = tmp_path / "Scripts" / "infusion-render.exe"
    command.parent.mkdir()
    command.touch()
    assert find_engine(str(tmp_path), {})[0] == command


def test_windows_leaves_the_suffix_out(tmp_path: Path) -> None:
    """A command may be named as in a terminal, without its .exe."""
    command = tmp_path / "infusion-render.exe"
    command.touch()
    assert find_engine(str(tmp_path / "infusion-render"), {})[0] == command


def test_windows_asks_without_a_window() -> None:
    """CREATE_NO_WINDOW, by its number; nothing of the kind elsewhere."""
    assert without_window("win32") == {"creationflags": 0x08000000}
    assert without_window("linux") == without_window("darwin") == {}


def test_a_named_engine_that_is_not_there_is_no_reason_to_take_another(tmp_path: Path) -> None:
    """Who names an engine wants that one: the message says which name led nowhere."""
    on_path = make_engine(tmp_path, FINISH)
    with pytest.raises(EngineError, match=r"'/nowhere', which INFUSION_ENGINE names"):
        find_engine(None, {"INFUSION_ENGINE": "/nowhere", "PATH": str(on_path.parent)})


def test_the_real_engine_answers() -> None:
    """The command of this environment is found on its PATH, runs, and reads our jobs."""
    engine = ask(*find_engine(None, {"PATH": str(Path(sys.executable).parent)}), os.environ)
    assert engine.answer.reads_our_jobs
    assert {"draft", "standard", "paper"} == set(engine.answer.presets)
    assert Path(engine.answer.python) == Path(sys.executable)


@pytest.mark.parametrize(
    ("schema", "words"),
    [("2.0", "reads jobs of version 2.0"), ("0.9", "reads jobs of version 0.9")],
)
def test_an_engine_of_another_release_is_refused(tmp_path: Path, schema: str, words: str) -> None:
    """The message names both versions, and what to do."""
    with pytest.raises(EngineError, match=words) as caught:
        ask(make_engine(tmp_path, FINISH, schema=schema), "PATH", os.environ)
    assert caught.value.remedy == "Install engine and node of one release."


def test_a_newer_minor_reads_our_jobs(tmp_path: Path) -> None:
    """It knows every field of ours, and more."""
    engine = make_engine(tmp_path, FINISH, schema="1.99")
    assert ask(engine, "PATH", os.environ).answer.job_schema == "1.99"


def test_something_that_is_no_engine_is_refused_with_its_words(tmp_path: Path) -> None:
    """Any other program of that name: what it printed is in the message."""
    engine = make_engine(tmp_path, FINISH, answer="BusyBox v1.36")
    with pytest.raises(EngineError, match="BusyBox"):
        ask(engine, "PATH", os.environ)


def test_one_that_answers_and_then_fails_is_refused(tmp_path: Path) -> None:
    """As the doctor does: the node and the doctor have one rule."""
    engine = make_engine(tmp_path, FINISH)
    engine.write_text(engine.read_text().replace("    sys.exit()", "    sys.exit('no torch')"))
    with pytest.raises(EngineError, match="left with 1: no torch") as caught:
        ask(engine, "PATH", os.environ)
    assert str(caught.value).count(str(asked(engine))) == 1


def test_a_file_that_does_not_run_is_refused(tmp_path: Path) -> None:
    """The system's own reason is told."""
    plain = tmp_path / "infusion-render"
    plain.write_text("not a program")
    plain.chmod(0o755)
    with pytest.raises(EngineError, match="cannot be started"):
        ask(plain, "the Engine knob", os.environ)


def test_the_hosts_python_settings_do_not_reach_the_engine() -> None:
    """A host's PYTHONHOME would keep the engine's interpreter from starting; all else stays."""
    given = {"PYTHONHOME": "/host", "PYTHONPATH": "/host/lib", "OCIO": "c.ocio", "PATH": "/bin"}
    assert engine_environment(given) == {"OCIO": "c.ocio", "PATH": "/bin"}


def test_an_engine_starts_from_a_host_with_a_python_of_its_own(tmp_path: Path) -> None:
    """With the host's PYTHONHOME set, the real engine still answers."""
    environment = {**os.environ, "PYTHONHOME": str(tmp_path)}
    command = Path(sys.executable).parent / "infusion-render"
    assert ask(command, "PATH", environment).answer.reads_our_jobs
