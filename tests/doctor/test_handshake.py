"""Handshake: the command is found beside Python or on PATH, and real processes answer."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from infusion_engine import __version__
from infusion_engine.doctor.findings import Finding, Outcome
from infusion_engine.doctor.handshake import COMMAND, asked, checks
from infusion_node.wire.handshake import Handshake, to_line
from infusion_node.wire.job import SCHEMA_VERSION

OURS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the engines of these tests are scripts")


def engine(folder: Path, script: str) -> Path:
    """A command of the engine's name in `folder`, which runs `script`."""
    folder.mkdir(exist_ok=True)
    path = folder / COMMAND
    path.write_text(f"#!{sys.executable}\n{script}\n", "utf-8")
    path.chmod(0o755)
    return path


def answering(folder: Path, *, version: str = __version__, jobs: str = SCHEMA_VERSION) -> Path:
    """An engine that says it is of that version."""
    line = to_line(Handshake(version, jobs, "/python", ("draft",)))
    arguments = ["--version", "--events", "json"]
    return engine(folder, f"import sys\nassert sys.argv[1:] == {arguments}\nprint({line!r})")


def finding(beside: Path, *search: Path) -> Finding:
    """What the doctor says of those folders."""
    (found,) = checks(beside, os.pathsep.join(map(str, search)))
    return found


def test_the_installed_engine_answers() -> None:
    """The command beside this Python says its version and the jobs that it reads."""
    found = finding(OURS)
    assert found.outcome is Outcome.OK
    assert found.found.startswith(f"{__version__}, reads jobs {SCHEMA_VERSION}, {OURS / COMMAND}")
    assert "not on PATH" in found.found


def test_the_same_engine_on_path_is_asked_once(tmp_path: Path) -> None:
    """A link to the command is the command."""
    own = answering(tmp_path / "own")
    link = tmp_path / "link" / COMMAND
    link.parent.mkdir()
    link.symlink_to(own)
    found = finding(own.parent, link.parent)
    assert (found.outcome, str(link) in found.found) == (Outcome.OK, False)


def test_another_version_on_path_is_a_warning(tmp_path: Path) -> None:
    """Both are named, since a host may start either."""
    own, other = answering(tmp_path / "own"), answering(tmp_path / "other", version="9.9.9")
    found = finding(own.parent, other.parent)
    assert found.outcome is Outcome.WARNING
    assert str(own) in found.found
    assert f"9.9.9, {other}" in found.found
    assert "Engine knob" in found.remedy


def test_the_same_version_elsewhere_is_well(tmp_path: Path) -> None:
    """Two environments of one release are nobody's trouble."""
    own, other = answering(tmp_path / "own"), answering(tmp_path / "other")
    found = finding(own.parent, other.parent)
    assert found.outcome is Outcome.OK
    assert str(other) in found.found


def test_an_engine_on_path_alone_is_found(tmp_path: Path) -> None:
    """And is asked; another version than the doctor's is a warning."""
    other = answering(tmp_path / "other", version="9.9.9")
    found = finding(tmp_path, other.parent)
    assert found.outcome is Outcome.WARNING
    assert f"this is {__version__}" in found.found


def test_no_engine_fails(tmp_path: Path) -> None:
    """It is said where it was looked for."""
    found = finding(tmp_path, tmp_path / "none")
    assert (found.outcome, found.exit_code) == (Outcome.FAILED, 1)
    assert str(tmp_path) in found.found
    assert "PATH" in found.found


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("raise SystemExit('No such option: --events')", "left with 1: No such option: --events"),
        ("print('infusion-render, version 0.0.1')", "left with 0: infusion-render, version 0.0.1"),
        ("print('{}')", "left with 0: {}"),
        ("import os; os._exit(3)", "left with 3"),
    ],
)
def test_an_engine_that_does_not_say_who_it_is_fails(
    tmp_path: Path, script: str, said: str
) -> None:
    """With what it said instead."""
    command = engine(tmp_path / "own", script)
    found = finding(command.parent)
    assert found.outcome is Outcome.FAILED
    assert said in found.found


def test_an_engine_that_reads_other_jobs_fails(tmp_path: Path) -> None:
    """A node of this release could hand it nothing."""
    found = finding(answering(tmp_path / "own", jobs="99.0").parent)
    assert found.outcome is Outcome.FAILED
    assert "reads jobs 99.0" in found.found


def test_what_is_printed_beside_the_answer_is_passed_over(tmp_path: Path) -> None:
    """A library may print before the line; the line is found."""
    line = json.dumps({"event": "version", "version": "1", "job_schema": "1.0", "python": "p",
                       "presets": []})  # fmt: skip
    answer = asked(engine(tmp_path / "own", f"print('hello')\nprint({line!r})"))
    assert isinstance(answer, Handshake)
    assert answer.version == "1"


def test_it_is_asked_as_a_node_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the asking Python's own environment holds: a node leaves that out, too."""
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    assert isinstance(asked(answering(tmp_path / "own")), Handshake)


def test_a_command_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    """A file that is no program is no traceback."""
    path = tmp_path / COMMAND
    path.write_bytes(b"\0")
    path.chmod(0o755)
    assert "cannot be started" in str(asked(path))
