"""The job folder: where one node keeps what it handed to the engine and what came back.

- `footage/plate/plate.1001.exr`: what the host wrote of its inputs, kept between runs;
- `footage/plate.json`: which content each of those files holds;
- `runs/0001/`: one folder for each press of the button, with `job.json`, `run.json` (who was
  started), `events.ndjson` (what the engine says), `engine.log` (what it and its libraries
  printed), `report/` (the page to look at, with the previews), `result/` (the frames, where the
  artist names no output) and, to stop it, `cancel`; one that a farm does has `footage/` of its own,
  and no later run touches either;
- `cache/`: fits and samples of runs that a farm does, where the artist names no cache.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

from infusion_node.errors import FolderError


class Where(str, Enum):
    """Who does what a run asks for."""

    HERE = "here"
    """An engine that this machine was told to start."""
    FARM = "farm"
    """The studio's farm; a process here has handed the job over and waits for the frames."""


@dataclass(frozen=True)
class RunRecord:
    """What `run.json` holds: enough to find a run again after the host was closed."""

    pid: int
    """Process id of the engine, or of what waits for the farm, on `machine`."""
    machine: str
    """Name of the machine it was started on."""
    command: Tuple[str, ...]
    """What was started, word by word."""
    started: float
    """When, in seconds since 1970 (UTC)."""
    where: Where = Where.HERE
    """Who does the work."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run; see the top of this module."""

    path: Path
    """The run's own folder."""

    @property
    def job(self) -> Path:
        """What the engine was asked to do."""
        return self.path / "job.json"

    @property
    def record(self) -> Path:
        """Who was started."""
        return self.path / "run.json"

    @property
    def events(self) -> Path:
        """What the engine says."""
        return self.path / "events.ndjson"

    @property
    def log(self) -> Path:
        """What the engine and its libraries printed."""
        return self.path / "engine.log"

    @property
    def report(self) -> Path:
        """Folder of the page to look at."""
        return self.path / "report"

    @property
    def result(self) -> Path:
        """Folder of the frames, where the artist names no other."""
        return self.path / "result"

    @property
    def cancel(self) -> Path:
        """The file that asks the engine to stop."""
        return self.path / "cancel"

    def write_record(self, record: RunRecord) -> None:
        """Keep who was started.

        Raises:
            FolderError: it cannot be written.
        """
        write_text(self.record, json.dumps(asdict(record), indent=2) + "\n")

    def read_record(self) -> Optional[RunRecord]:
        """Who was started; None when nobody was, or nobody can tell any more."""
        body = read_json(self.record)
        try:
            return RunRecord(
                pid=int(body["pid"]),
                machine=str(body["machine"]),
                command=tuple(map(str, body["command"])),
                started=float(body["started"]),
                where=Where(body.get("where", Where.HERE)),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def last_log_lines(self, count: int = 12) -> Tuple[str, ...]:
        """The end of the log, for whoever has to find out what happened; () without one."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 16384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-count:]


@dataclass(frozen=True)
class JobFolder:
    """One node's folder on disk; see the top of this module."""

    path: Path
    """The folder itself."""

    @property
    def cache(self) -> Path:
        """Folder of the fits and samples of runs that a farm does."""
        return self.path / "cache"

    def footage(self, clip: str) -> Path:
        """Folder of the frames that the host wrote of one input (`plate` or `matte`)."""
        return self.path / "footage" / clip

    def contents(self, clip: str) -> Path:
        """The file that says which content each of those frames holds."""
        return self.path / "footage" / f"{clip}.json"

    def new_run(self) -> RunFolder:
        """A folder for the next run, made now.

        Raises:
            FolderError: it cannot be made.
        """
        runs = self.path / "runs"
        try:
            runs.mkdir(parents=True, exist_ok=True)
            while True:
                number = 1 + max(self._numbers(), default=0)
                path = runs / f"{number:04d}"
                try:
                    path.mkdir()
                except FileExistsError:  # another node was quicker: take the next number
                    continue
                return RunFolder(path)
        except OSError as error:
            raise cannot_write(runs, error) from None

    def latest_run(self) -> Optional[RunFolder]:
        """The run that was started last; None when there was none."""
        # Others were begun, and no engine came of them.
        return next((run for run in self.runs() if run.record.exists()), None)

    def runs(self) -> Iterator[RunFolder]:
        """Every run there is, the last one first."""
        for number in sorted(self._numbers(), reverse=True):
            yield RunFolder(self.path / "runs" / f"{number:04d}")

    def _numbers(self) -> Tuple[int, ...]:
        """The numbers of all runs there are."""
        try:
            names = [path.name for path in (self.path / "runs").iterdir()]
        except OSError:
            return ()
        return tuple(int(name) for name in names if re.fullmatch("[0-9]{4,}", name))


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all.

    Raises:
        FolderError: it cannot be written; names the file and the reason.
    """
    # A folder that two hosts share may see two writers; each has a temporary name of its own.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise cannot_write(path, error) from None


def read_json(path: Path) -> Dict[str, Any]:
    """The object in a small file of ours; empty when it is not there or not readable."""
    try:
        body = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def cannot_write(path: Path, error: OSError) -> FolderError:
    """What to say when the disk refuses."""
    return FolderError(
        f"Cannot write '{path}': {error.strerror or error}.",
        remedy="Make room there, or make it writable, then press Inpaint again.",
    )
