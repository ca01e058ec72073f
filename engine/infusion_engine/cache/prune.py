"""Pruning: what may leave a cache, and its leaving; what a running render works on stays."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.inventory import Item, inventory
from infusion_engine.cache.lock import is_held, remove_unheld
from infusion_engine.cache.shot_index import read_notes
from infusion_engine.cache.store import TEMPORARY, Store, erase, is_key, this_host
from infusion_engine.cache.trouble import note_files

STALE = timedelta(days=1)
"""Age after which a temporary folder of a process that cannot be asked is taken for left behind."""


@dataclass(frozen=True)
class Limits:
    """What a cache may hold; None sets no limit."""

    older_than: timedelta | None = None
    """Entries not used for longer than this go."""
    larger_than: int | None = None
    """While all entries take more bytes than this, the least recently used goes."""
    spare: timedelta | None = None
    """Entries used within this stay all the same: a job in a scheduler's queue may want them."""


@dataclass(frozen=True)
class Choice:
    """What pruning would do."""

    go: tuple[Item, ...]
    """Entries to remove, the least recently used first."""
    busy: tuple[Item, ...]
    """Entries that would go, were no render at work on their shot."""
    spared: tuple[Item, ...]
    """Entries that would go, had they not been used so lately."""
    leftovers: tuple[Path, ...]
    """Temporary folders of processes that were killed."""


def choose(store: Store, limits: Limits) -> Choice:
    """What is beyond `limits` in `store`; removes nothing."""
    now = disk_time(store.folder)
    items = inventory(store.folder)
    keys, clips = _at_work(store.folder)
    size = sum(item.size for item in items)
    go: list[Item] = []
    busy: list[Item] = []
    spared: list[Item] = []
    for item in items:
        old = limits.older_than is not None and now - item.used >= limits.older_than
        large = limits.larger_than is not None and size > limits.larger_than
        if not old and not large:
            continue
        if item.key in keys or item.clip in clips:
            busy.append(item)
        elif limits.spare is not None and now - item.used < limits.spare:
            spared.append(item)
        else:
            go.append(item)
            size -= item.size
    left = tuple(_leftovers(store.folder, now))
    return Choice(tuple(go), tuple(busy), tuple(spared), left)


def prune(
    store: Store, choice: Choice, *, on_item: Callable[[Item], None]
) -> tuple[Sequence[Item], Sequence[Item]]:
    """Remove what was chosen, calling `on_item` after each; (removed, could not be removed)."""
    removed: list[Item] = []
    stuck: list[Item] = []
    for item in choice.go:
        store.drop(item.kind, item.key)
        (stuck if os.path.lexists(item.folder) else removed).append(item)
        on_item(item)
    for path in choice.leftovers:
        erase(path)
    _sweep(store.folder)
    return removed, stuck


def disk_time(folder: Path) -> datetime:
    """The present by the clock that stamps files in `folder`: a file server's has its own.

    By another machine's clock a folder that is being written may look a day old.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
            probe.flush()
            return datetime.fromtimestamp(os.fstat(probe.fileno()).st_mtime, UTC)
    except OSError:  # not there, or read-only: nothing will go
        return datetime.now(UTC)


def _at_work(folder: Path) -> tuple[frozenset[str], frozenset[str]]:
    """(keys, clips) that a running process holds a lock on, with all that belongs to them."""
    locks = sorted((folder / "locks").glob("*.lock"))
    held = frozenset(path.stem for path in locks if is_key(path.stem) and is_held(path))
    keys, clips = set(held), set(held)
    for _, note in read_notes(folder / "shots"):
        if note.clip in held or not held.isdisjoint(note.keys):
            keys.update(note.keys)
            clips.add(note.clip)
    return frozenset(keys), frozenset(clips)


def _leftovers(folder: Path, now: datetime) -> list[Path]:
    found = []
    for kind in Kind:
        for path in sorted((folder / kind.value).glob(f"{TEMPORARY}*")):
            try:
                age = now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
            except FileNotFoundError:
                continue
            if age >= STALE or _owner_is_dead(path.name):
                found.append(path)
    return found


def _owner_is_dead(name: str) -> bool:
    """True when the process named in a temporary folder's name was on this machine and ended."""
    host, _, rest = name.removeprefix(TEMPORARY).rpartition("-")[0].rpartition("-")
    if host != this_host() or not rest.isdecimal() or sys.platform == "win32":
        return False  # on Windows `os.kill(pid, 0)` would end the process
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _sweep(folder: Path) -> None:
    """Remove locks that nobody holds, and old notes: of shots without an entry, of failed tasks."""
    for path in (folder / "locks").glob("*.lock"):
        remove_unheld(path)
    present = {item.key for item in inventory(folder)}
    now = disk_time(folder)
    for path, note in read_notes(folder / "shots"):
        age = now - datetime.fromisoformat(note.used)
        if present.isdisjoint(note.keys) and age >= STALE:
            erase(path)
    for path in note_files(folder):
        with contextlib.suppress(FileNotFoundError):  # its task was done meanwhile
            if now - datetime.fromtimestamp(path.stat().st_mtime, UTC) >= STALE:
                erase(path)
