"""Troubles: notes of a farm's failed tasks, for whoever waits for them; no result depends on any.

They lie in the cache because every machine of a farm sees it, whatever its paths are called there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from infusion_engine.cache.store import TAG_FILE, TEMPORARY

FOLDER = "troubles"
"""Where in a cache they lie, all in one folder: a note that goes leaves no folder behind."""
_NOTE = re.compile(r"[0-9a-f]{64}\.[A-Za-z0-9-]+\.json")
_TEMPORARY = re.compile(re.escape(TEMPORARY) + r"[0-9a-f]{16}")

Stamp = tuple[int, int, int]
"""What tells a note from the one that had its name before; no clock is compared."""


@dataclass(frozen=True)
class Trouble:
    """How the last try of a task ended."""

    task: str
    """As its command line has it after `--stage`, such as `fit --interval 3`."""
    machine: str
    """Name of the machine that tried."""
    exit_code: int
    """What the process ended with."""
    message: str
    """What was found and what was expected, in one line."""
    remedy: str
    """What to do about it, in one line."""


def job_mark(job_file: bytes) -> str:
    """What a job's notes are called after: a digest of the file that its tasks read.

    Not what was found out about its frames, which a machine that does not see them cannot tell;
    and flags that map paths change nothing in the file.
    """
    return hashlib.sha256(job_file).hexdigest()


def leave(cache: Path, mark: str, trouble: Trouble) -> None:
    """Leave a note, whole or not at all, in the place of the same task's earlier one.

    Raises:
        OSError: there is no cache, or it takes nothing.
    """
    (cache / TAG_FILE).stat()  # where nothing is mounted no folder is made to look like a cache
    folder = cache / FOLDER
    folder.mkdir(exist_ok=True)
    temporary = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        temporary.write_text(json.dumps(asdict(trouble), indent=2) + "\n", encoding="ascii")
        temporary.replace(_file(cache, mark, trouble.task))
    finally:
        temporary.unlink(missing_ok=True)


def take_away(cache: Path, mark: str, task: str) -> None:
    """Take away the note of a task that was done after all; without one nothing happens.

    Raises:
        OSError: it cannot be removed.
    """
    _file(cache, mark, task).unlink(missing_ok=True)


def troubles(cache: Path, mark: str) -> dict[Path, tuple[Stamp, Trouble]]:
    """Every note of a job that can be read, by its file in the order of names."""
    found = {}
    for path in sorted((cache / FOLDER).glob(f"{mark}.*.json")):
        try:
            with path.open(encoding="ascii") as file:
                told = os.fstat(file.fileno())
                fields = json.load(file)
            trouble = Trouble(
                task=str(fields["task"]),
                machine=str(fields["machine"]),
                exit_code=int(fields["exit_code"]),
                message=str(fields["message"]),
                remedy=str(fields["remedy"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it went meanwhile, or is none of ours
        found[path] = (told.st_mtime_ns, told.st_size, told.st_ino), trouble
    return found


def note_files(cache: Path) -> list[Path]:
    """Every file that is a note by its name, of any job, or was to become one."""
    names = (_NOTE, _TEMPORARY)
    files = sorted((cache / FOLDER).glob("*"))
    return [path for path in files if any(name.fullmatch(path.name) for name in names)]


def _file(cache: Path, mark: str, task: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9-]", "-", task.replace(" --", "-"))
    return cache / FOLDER / f"{mark}.{name}.json"
