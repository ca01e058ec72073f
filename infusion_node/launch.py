"""Launch: start the engine so that it outlives the host, tell whether it lives, stop it."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from infusion_node import windows
from infusion_node.engine import Engine, farm_beside
from infusion_node.errors import EngineError
from infusion_node.job_folder import RunFolder, RunRecord, Where, cannot_write
from infusion_node.wire.handshake import engine_environment

_CREATE_NEW_PROCESS_GROUP = 0x00000200  # Windows: the host's Ctrl-C is not the engine's
_BELOW_NORMAL_PRIORITY_CLASS = 0x00004000  # Windows: the artist goes on working


def start(
    engine: Engine, run: RunFolder, environment: Mapping[str, str], where: Where = Where.HERE
) -> Running:
    """Start the engine on the run's job, detached from the host, and keep a record of it.

    For a farm it is the command beside the engine, which hands the job over and then waits. Either
    writes its own events; what it and its libraries print goes into the log.

    Raises:
        EngineError: it cannot be started.
        FolderError: the run's folder cannot be written.
    """
    command = command_for(engine, run, where)
    try:
        log = run.log.open("ab")
    except OSError as error:
        raise cannot_write(run.log, error) from None
    with log:
        try:
            process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=os.fspath(run.path), env=engine_environment(environment),
                **detached(sys.platform),
            )  # fmt: skip
        except OSError as error:
            raise EngineError(
                f"The engine '{command[0]}' cannot be started: {error.strerror or error}.",
                remedy="Name a working infusion-render in the Engine knob.",
            ) from None
    # Somebody has to take note of its end, or it stays in the system's table as long as the host.
    threading.Thread(target=process.wait, name="infusion-reap", daemon=True).start()
    record = RunRecord(process.pid, platform.node(), command, time.time(), where)
    running = Running(record, process)
    try:
        run.write_record(record)
    except Exception:
        running.kill()  # nobody would find it again
        raise
    return running


def command_for(engine: Engine, run: RunFolder, where: Where) -> Tuple[str, ...]:
    """What is started, word by word; the last one names the run, by which its process is known.

    Raises:
        EngineError: a farm is asked for, and its command is not beside the engine.
    """
    program = [engine.path] if where is Where.HERE else [farm_beside(engine.path), "submit"]
    words = [*program, "--job", run.job, "--events", "none", "--events-file", run.events]
    if where is Where.FARM:
        words[2:2] = ["--wait"]
    return tuple(map(os.fspath, words))


def detached(system: str) -> Dict[str, Any]:
    """How `subprocess.Popen` starts a process that does not end with its parent.

    `system` is `sys.platform`.
    """
    if system == "win32":
        flags = windows.CREATE_NO_WINDOW | _CREATE_NEW_PROCESS_GROUP | _BELOW_NORMAL_PRIORITY_CLASS
        return {"creationflags": flags, "close_fds": True}
    return {"start_new_session": True, "close_fds": True}


class Running:
    """An engine that was started, by this node (which has its process) or by an earlier one."""

    def __init__(self, record: RunRecord, process: Optional[subprocess.Popen[bytes]]) -> None:
        self.record = record
        self._process = process

    @property
    def exit_code(self) -> Optional[int]:
        """What the process left with; None while it runs, or when nobody here can know."""
        return None if self._process is None else self._process.poll()

    @property
    def is_gone(self) -> bool:
        """True when the process has certainly ended; False when it lives or nobody can tell."""
        if self._process is not None:
            return self._process.poll() is not None
        return self.was_here and not _is_alive(self.record)

    def ask_to_stop(self) -> None:
        """Send the gentle signal where there is one; the `cancel` file does for the rest."""
        if sys.platform != "win32" and self._is_ours and not self.is_gone:
            _signal(self.record.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with everything it started."""
        if self.is_gone:
            return
        if sys.platform == "win32":
            if self._process is not None:
                self._process.kill()
        elif self._is_ours:
            try:
                os.killpg(self.record.pid, signal.SIGKILL)  # it leads a session of its own
            except OSError:
                _signal(self.record.pid, signal.SIGKILL)
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):  # one that waits for a driver dies later
                self._process.wait(timeout=1)

    @property
    def _is_ours(self) -> bool:
        """True when the process of that id is certainly the engine, and no later one's."""
        if self._process is not None:
            return True
        return self.was_here and self.record.command[-1] in _words(self.record.pid)

    @property
    def was_here(self) -> bool:
        """True when it was started on this machine, whose process ids mean something."""
        return self.record.machine == platform.node()


def _is_alive(record: RunRecord) -> bool:
    """False when the process has certainly gone, or its id is another's by now."""
    if sys.platform == "win32":
        return windows.is_alive(record.pid, record.started, windows.OwnKernel())
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    words = _words(record.pid)
    return not _is_zombie(record.pid) and (not words or record.command[-1] in words)


def _words(pid: int) -> List[str]:
    """The command line of a process, where the system shows it; empty elsewhere."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in line.split(b"\0") if word]


def _is_zombie(pid: int) -> bool:
    """True for a process that has ended and whose parent has not looked yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] == [b"Z"]


def _signal(pid: int, number: int) -> None:
    """Send a signal; a process that has gone meanwhile is no trouble."""
    with suppress(OSError):
        os.kill(pid, number)
