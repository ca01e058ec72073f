"""Shared storage: what file servers do otherwise than disks, and what the cache makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache import lock as locks
from infusion_engine.cache.entry import Kind, flush_folder, read_entry, write_entry
from infusion_engine.cache.key import digest
from infusion_engine.cache.prune import disk_time
from infusion_engine.cache.store import Store
from infusion_engine.cache.tensor_file import Memory, Tensors

Spawn = Callable[..., "subprocess.Popen[str]"]
KEY = digest({"shared": "storage"})
HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("holding", flush=True)
time.sleep(600)
"""
"""A holder that shows no sign of life, as a machine that lost power does."""
BEAT = """
import sys
import time
from pathlib import Path
from infusion_engine.cache import lock
lock.BEAT_SECONDS = 0.05
with lock.held(Path(sys.argv[1]), on_wait=print, check=lambda: None, on_no_lock=print):
    print("holding", flush=True)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
"""
"""One that does, twenty times a second."""


def _first_line(process: subprocess.Popen[str]) -> str:
    """What a process says first."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o002, 0o664, 0o775), (0o027, 0o640, 0o750)]
)
def test_a_group_can_share_what_the_umask_lets_it(
    tmp_path: Path, umask: int, file: int, folder: int
) -> None:
    """Entries, notes, locks and their folders are as open as any file that their user makes."""
    before = os.umask(umask)
    try:
        store = Store(tmp_path / "cache", on_damage=pytest.fail)
        with store.lock(KEY, on_wait=lambda: None, check=lambda: None):
            store.save(Kind.FIT, KEY, {"a": np.ones(3)}, {})
        store.note_shot(KEY, name="p", frames="1-2", size=(1, 1), preset="draft", keys=[KEY])
    finally:
        os.umask(before)
    found = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "cache").rglob("*")}
    assert {path.suffix for path in found} == {"", ".TAG", ".lock", ".json", ".safetensors"}
    assert {
        path.name: mode for path, mode in found.items() if path.is_file() and mode != file
    } == {}
    assert {
        path.name: mode for path, mode in found.items() if path.is_dir() and mode != folder
    } == {}


def test_a_lock_of_another_user_s_is_taken_for_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where permissions hide whether it is, pruning leaves what belongs to it alone."""
    path = tmp_path / "a.lock"
    path.touch()
    assert not locks.is_held(path)

    def forbidden(*_arguments: object, **_named: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)  # root may open anything
    assert locks.is_held(path)


def test_a_holder_that_is_lost_holds_up_nobody(tmp_path: Path, spawn: Spawn) -> None:
    """A lock that its server keeps for a dead machine is done without, and that is said."""
    path = tmp_path / "a.lock"
    process = spawn(HOLD, path)
    assert _first_line(process) == "holding\n"
    said: list[str] = []
    with locks.held(
        path,
        on_wait=lambda: said.append("waiting"),
        check=lambda: None,
        on_no_lock=said.append,
        patience=0.5,
    ):
        said.append("inside")
    assert said == ["waiting", "whoever holds the lock shows no sign of life", "inside"]


def test_a_holder_that_lives_is_waited_for(tmp_path: Path, spawn: Spawn) -> None:
    """As long as its lock file's time changes, whatever time that is."""
    path = tmp_path / "a.lock"
    let_go = tmp_path / "let-go"
    process = spawn(BEAT, path, let_go)
    assert _first_line(process) == "holding\n"
    seen: set[int] = set()

    def check() -> None:
        """Let it go once it was seen to live for more than our patience would have been."""
        seen.add(path.stat().st_mtime_ns)
        if len(seen) == 5:
            let_go.touch()

    with locks.held(path, on_wait=lambda: None, check=check, on_no_lock=pytest.fail, patience=60.0):
        assert len(seen) >= 5


def test_an_entry_that_is_sound_again_is_put_back(
    store: Store, tensors: Tensors, tmp_path: Path
) -> None:
    """What was read damaged and is sound when it is taken away stays in the cache."""
    store.save(Kind.FIT, KEY, tensors, {}, room=Memory())
    store._discard(Kind.FIT, KEY)
    assert store.load(Kind.FIT, KEY) is not None
    record = store.entry_folder(Kind.FIT, KEY) / "record.json"
    record.write_text("{}")
    store._discard(Kind.FIT, KEY)
    assert not store.entry_folder(Kind.FIT, KEY).exists()
    assert not list(store.folder.glob("*/.tmp-*"))


def test_a_rename_whose_answer_was_lost_is_done(
    store: Store, tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server that renames, and then answers that there is nothing to rename."""
    rename = Path.rename

    def lost(self: Path, target: Path) -> Path:
        rename(self, target)
        raise FileNotFoundError(2, "No such file or directory", str(self))

    store.prepare()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lost)
        store.save(Kind.FIT, KEY, tensors, {}, room=Memory())
    assert store.load(Kind.FIT, KEY) is not None


def test_a_folder_that_cannot_be_flushed_is_no_error() -> None:
    """Some filesystems refuse to flush a folder: what is in it is no worse for that."""
    if sys.platform != "linux":
        pytest.skip("needs a filesystem that refuses, as Linux has it in /proc")
    descriptor = os.open("/proc", os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        os.fsync(descriptor)
    os.close(descriptor)
    flush_folder(Path("/proc"))


def test_an_entry_that_was_copied_in_whole_is_read(store: Store, tmp_path: Path) -> None:
    """A folder that was copied from another cache, by whatever means, needs no more than that."""
    tensors: Tensors = {"a": np.arange(5.0)}
    store.prepare()
    folder = store.entry_folder(Kind.FIT, KEY)
    folder.mkdir()
    write_entry(folder, Kind.FIT, KEY, tensors, {}, room=Memory())
    assert read_entry(folder, Kind.FIT, KEY, Memory()) is not None
    entry = store.load(Kind.FIT, KEY)
    assert entry is not None
    assert np.array_equal(entry.tensors["a"], tensors["a"])


def test_ages_are_told_by_the_clock_that_stamps_files(tmp_path: Path) -> None:
    """Between a file that was written before and one written after; and nothing is left behind."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(b"0")
    now = disk_time(tmp_path).timestamp()
    after.write_bytes(b"0")
    grain = 0.01  # a filesystem's own
    assert before.stat().st_mtime - grain <= now <= after.stat().st_mtime + grain
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "before"]
