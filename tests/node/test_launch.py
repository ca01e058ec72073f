"""Starting an engine so that it outlives whoever started it, and ending it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infusion_node.engine import ask
from infusion_node.errors import EngineError, FolderError
from infusion_node.job_folder import JobFolder, RunFolder
from infusion_node.launch import Running, detached, start
from infusion_node.wire.job import RenderJob
from tests.node.stand_ins import PATIENCE, UNTIL_CANCELLED, make_engine

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = """
import os, sys
from pathlib import Path
from infusion_node.engine import ask
from infusion_node.job_folder import RunFolder
from infusion_node.launch import start
start(ask(Path(sys.argv[1]), "PATH", os.environ), RunFolder(Path(sys.argv[2])), os.environ)
os._exit(0)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with a job in it."""
    made = JobFolder(tmp_path / "work").new_run()
    made.job.write_text(RenderJob("plate", "out").to_json())
    return made


def _until_told(run: RunFolder) -> None:
    """Wait for the engine's first word."""
    deadline = time.monotonic() + PATIENCE
    while not run.events.exists():
        assert time.monotonic() < deadline, "the engine never spoke"
        time.sleep(0.01)


def test_the_engine_outlives_a_host_that_is_gone(run: RunFolder, tmp_path: Path) -> None:
    """A host that ends without a word leaves an engine at work, which its record finds."""
    engine = make_engine(tmp_path, UNTIL_CANCELLED)
    roots = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, "-c", HOST, engine, run.path], check=True, env=roots)
    record = run.read_record()
    assert record is not None
    found = Running(record, None)
    _until_told(run)

    assert not found.is_gone
    assert os.getsid(record.pid) != os.getsid(0)  # a signal to the host's group does not reach it
    run.cancel.touch()
    deadline = time.monotonic() + PATIENCE
    while not found.is_gone:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ending_takes_everything_that_the_engine_started(run: RunFolder, tmp_path: Path) -> None:
    """Its own processes go with it: a pipe that they all hold is closed by the last of them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f'os.open({str(pipe)!r}, os.O_WRONLY)\nos.fork()\nsay("child")\ntime.sleep(600)'
    running = start(ask(make_engine(tmp_path, script), "PATH", os.environ), run, os.environ)
    with pipe.open("rb") as held:
        deadline = time.monotonic() + PATIENCE
        while run.events.read_text().count("child") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.kill()
        assert held.read() == b""  # returns once nobody holds the other end

    assert running.is_gone
    assert running.exit_code == -signal.SIGKILL


@pytest.mark.parametrize(("system", "detaches"), [("linux", True), ("darwin", True)])
def test_unix_starts_a_session_of_its_own(system: str, detaches: bool) -> None:
    """Closing the host's terminal or pressing Ctrl-C there does not reach the engine."""
    assert detached(system)["start_new_session"] is detaches


def test_windows_starts_without_a_window_in_a_group_of_its_own() -> None:
    """CREATE_NO_WINDOW, CREATE_NEW_PROCESS_GROUP and a lower priority, by their numbers.

    With DETACHED_PROCESS each console program that the engine starts would open a window.
    """
    flags = 0x08000000 | 0x200 | 0x4000
    assert detached("win32") == {"creationflags": flags, "close_fds": True}


def test_a_folder_that_cannot_be_written_is_told(run: RunFolder, tmp_path: Path) -> None:
    """No log, no run."""
    engine = ask(make_engine(tmp_path, UNTIL_CANCELLED), "PATH", os.environ)
    run.log.mkdir()
    with pytest.raises(FolderError, match=r"engine\.log"):
        start(engine, run, os.environ)


def test_an_engine_whose_record_cannot_be_kept_is_ended(run: RunFolder, tmp_path: Path) -> None:
    """Nobody would find it again, so it must not work on."""
    engine = ask(make_engine(tmp_path, UNTIL_CANCELLED), "PATH", os.environ)
    run.record.mkdir()
    with pytest.raises(FolderError):
        start(engine, run, os.environ)
    told = run.events.read_text() if run.events.exists() else ""
    time.sleep(0.2)
    assert (run.events.read_text() if run.events.exists() else "") == told


def test_an_engine_that_went_away_after_the_handshake_is_told(
    run: RunFolder, tmp_path: Path
) -> None:
    """The system's reason is in the message."""
    engine = ask(make_engine(tmp_path, UNTIL_CANCELLED), "PATH", os.environ)
    engine.path.unlink()
    with pytest.raises(EngineError, match="cannot be started"):
        start(engine, run, os.environ)
