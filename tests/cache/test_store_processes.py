"""Processes that are killed, that race and that wait: the cache stays right, work is done once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infusion_engine.cache.key import digest
from infusion_engine.cache.store import Kind, Store, Tensors
from infusion_engine.errors import Cancelled

Spawn = Callable[..., subprocess.Popen[str]]
KEY = "a" * 64

SAVE_AND_DIE = """
import os, signal, sys
from pathlib import Path
import numpy as np
from infusion_engine.cache.store import Kind, Store
store, moment, seen = Store(Path(sys.argv[1]), on_damage=print), int(sys.argv[2]), 0
tensors = {"a": np.arange(50_000.0)}
def die_at_the_moment(event, arguments):
    global seen
    if event in ("open", "os.mkdir", "os.rename", "os.rmdir", "shutil.rmtree"):
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die_at_the_moment)
store.save(Kind.FIT, "a" * 64, tensors, {})
"""


def test_a_kill_at_any_moment_of_saving_leaves_all_or_nothing(
    tmp_path: Path, spawn: Spawn, reports: list[str], tensors: Tensors
) -> None:
    """Killed at each file operation of `save` in turn, the entry is whole or absent."""
    outcomes = []
    for moment in range(1, 100):
        store = Store(tmp_path / str(moment), on_damage=reports.append)
        process = spawn(SAVE_AND_DIE, store.folder, moment)
        said, trouble = process.communicate(timeout=60)
        assert (said, trouble) == ("", "")
        outcomes.append(store.load(Kind.FIT, KEY) is not None)
        if process.returncode == 0:
            break
        assert process.returncode == -9
        store.save(Kind.FIT, KEY, tensors, {})
        assert store.load(Kind.FIT, KEY) is not None
    assert process.returncode == 0
    assert reports == []
    assert outcomes == sorted(outcomes)  # absent up to one moment, whole from then on
    assert outcomes.count(False) >= 8


def test_kills_at_random_moments_leave_only_sound_entries(
    tmp_path: Path, spawn: Spawn, reports: list[str]
) -> None:
    """A process saving one entry after another is killed again and again: none is damaged."""
    script = """
import sys, itertools
from pathlib import Path
import numpy as np
from infusion_engine.cache.key import digest
from infusion_engine.cache.store import Kind, Store
store = Store(Path(sys.argv[1]), on_damage=print)
print("ready", flush=True)
for number in itertools.count():
    key = digest({"run": sys.argv[2], "number": number})
    store.save(Kind.SAMPLE, key, {"a": np.ones(10**6)}, {})
"""
    store = Store(tmp_path / "cache", on_damage=reports.append)
    for run in range(6):
        process = spawn(script, store.folder, run)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.043 * run)
        process.kill()
        process.wait()
    keys = [path.name for path in (store.folder / "samples").iterdir() if path.name[0] != "."]
    assert keys
    assert all(store.load(Kind.SAMPLE, key) is not None for key in keys)
    assert reports == []


def test_processes_that_want_the_same_entry_compute_it_once(
    tmp_path: Path, spawn: Spawn, reports: list[str]
) -> None:
    """Of four processes at once one computes, the others wait, say so, and find its entry."""
    script = """
import sys, time
from pathlib import Path
import numpy as np
from infusion_engine.cache.store import Kind, Store
store, go = Store(Path(sys.argv[1]), on_damage=print), Path(sys.argv[2])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
with store.lock("a" * 64, on_wait=lambda: print("waiting"), check=lambda: None):
    if store.load(Kind.FIT, "a" * 64) is None:
        print("computing")
        time.sleep(0.5)
        store.save(Kind.FIT, "a" * 64, {"a": np.ones(9)}, {})
    else:
        print("hit")
"""
    processes = [spawn(script, tmp_path / "cache", tmp_path / "go") for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    said = []
    for process in processes:
        out, trouble = process.communicate(timeout=60)
        assert (process.returncode, trouble) == (0, "")
        said.append(out.split())
    assert sorted(said) == [["computing"], *[["waiting", "hit"]] * 3]


def test_processes_that_race_without_a_lock_corrupt_nothing(tmp_path: Path, spawn: Spawn) -> None:
    """Two processes save and drop one key, with different bytes, while a third reads it."""
    writer = """
import sys
from pathlib import Path
import numpy as np
from infusion_engine.cache.store import Kind, Store
store, mark = Store(Path(sys.argv[1]), on_damage=print), float(sys.argv[2])
while not Path(sys.argv[3]).exists():
    pass
for turn in range(150):
    store.save(Kind.FIT, "a" * 64, {"a": np.full(5000, mark)}, {"mark": mark})
    if turn % 3 == 2:
        store.drop(Kind.FIT, "a" * 64)
print("done")
"""
    reader = """
import sys
from pathlib import Path
from infusion_engine.cache.store import Kind, Store
store, found = Store(Path(sys.argv[1]), on_damage=print), 0
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    entry = store.load(Kind.FIT, "a" * 64)
    if entry is not None:
        assert (entry.tensors["a"] == entry.record["mark"]).all()
        found += 1
print(found > 0)
"""
    reading = spawn(reader, tmp_path / "cache", tmp_path / "stop")
    writing = [spawn(writer, tmp_path / "cache", mark, tmp_path / "go") for mark in (1, 2)]
    assert reading.stdout is not None
    assert reading.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    for process in writing:
        assert process.communicate(timeout=120) == ("done\n", "")
    (tmp_path / "stop").touch()
    assert reading.communicate(timeout=60) == ("True\n", "")


HOLD = """
import sys, time
from pathlib import Path
from infusion_engine.cache.store import Store
store = Store(Path(sys.argv[1]), on_damage=print)
with store.lock("a" * 64, on_wait=lambda: None, check=lambda: None):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(store: Store, spawn: Spawn) -> subprocess.Popen[str]:
    """Another process that holds the lock of KEY."""
    process = spawn(HOLD, store.folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_lock_of_a_killed_process_does_not_block(
    store: Store, holder: subprocess.Popen[str], reports: list[str]
) -> None:
    """After kill -9 of the holder nobody waits, though its lock file is still there."""
    holder.kill()
    holder.wait()
    assert store.lock_file(KEY).exists()
    waits: list[str] = []
    with store.lock(KEY, on_wait=lambda: waits.append("waiting"), check=lambda: None):
        pass
    assert waits == []
    assert reports == []


def test_waiting_ends_when_the_holder_is_killed(
    store: Store, holder: subprocess.Popen[str], reports: list[str]
) -> None:
    """Who already waits goes on as soon as the holder is gone."""
    with store.lock(KEY, on_wait=holder.kill, check=lambda: None):
        pass
    assert holder.wait() == -9
    assert reports == []


def test_waiting_can_be_cancelled(store: Store, holder: subprocess.Popen[str]) -> None:
    """A stop that is asked for while waiting ends the wait, and the block does not run."""
    waits: list[str] = []
    checks: list[float] = []

    def check() -> None:
        checks.append(time.monotonic())
        if len(checks) == 5:
            raise Cancelled("stopped")

    ran = False
    with (
        pytest.raises(Cancelled),
        store.lock(KEY, on_wait=lambda: waits.append("waiting"), check=check),
    ):
        ran = True
    assert not ran
    assert waits == ["waiting"]
    assert holder.poll() is None


def test_locks_of_different_keys_do_not_wait_for_each_other(
    store: Store, holder: subprocess.Popen[str]
) -> None:
    """Two shots on one cache are rendered side by side."""
    with store.lock(digest({"other": "shot"}), on_wait=pytest.fail, check=lambda: None):
        assert holder.poll() is None


def test_a_lock_is_released_when_its_block_fails(store: Store) -> None:
    """An error inside the block frees the lock for the next."""
    with pytest.raises(Cancelled), store.lock(KEY, on_wait=pytest.fail, check=lambda: None):
        raise Cancelled("stopped")
    with store.lock(KEY, on_wait=pytest.fail, check=lambda: None):
        pass
