"""A disk that is full or read-only gives one plain error, and the cache stays whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.key import digest
from infusion_engine.cache.store import Kind, Store, Tensors
from infusion_engine.errors import StorageError

LARGE: Tensors = {"a": np.ones(2**20, np.float32)}


def names(folder: Path) -> list[str]:
    """What lies in `folder`."""
    return sorted(path.name for path in folder.iterdir())


def test_a_full_disk_leaves_nothing_half_written(
    small_disk: Path, reports: list[str], tensors: Tensors, key: str
) -> None:
    """A sample too large for the disk is an error naming the folder; what was there stays sound."""
    store = Store(small_disk / "cache", on_damage=reports.append)
    store.save(Kind.SAMPLE, key, tensors, {})
    with pytest.raises(StorageError, match="disk is full") as caught:
        store.save(Kind.SAMPLE, digest({"large": 1}), LARGE, {})
    assert str(store.folder) in caught.value.message
    assert caught.value.remedy
    assert names(store.folder / "samples") == [key]
    assert store.load(Kind.SAMPLE, key) is not None

    store.save(Kind.SAMPLE, digest({"small": 1}), tensors, {})  # and there is room again
    assert store.has(Kind.SAMPLE, digest({"small": 1}))
    assert reports == []


def test_a_disk_without_a_single_block_is_noticed_before_work_begins(
    small_disk: Path, reports: list[str]
) -> None:
    """`prepare` writes something, so that a full disk is known within the first second."""
    store = Store(small_disk / "cache", on_damage=reports.append)
    store.prepare()
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        while shutil.disk_usage(small_disk).free:
            file.write(b"\0" * 4096)
    with pytest.raises(StorageError, match="disk is full"):
        store.prepare()


def test_a_file_size_limit_leaves_nothing_half_written(
    tmp_path: Path, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    """The same without a disk of its own: the system refuses the file in the middle."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from infusion_engine.cache.store import Kind, Store
from infusion_engine.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = Store(Path(sys.argv[1]), on_damage=print)
try:
    store.save(Kind.FIT, "a" * 64, {"a": np.ones(2**20)}, {})
except StorageError as error:
    print(error.message)
"""
    process = spawn(script, tmp_path / "cache")
    said, trouble = process.communicate(timeout=60)
    assert (process.returncode, trouble) == (0, "")
    assert "larger than is allowed" in said
    assert names(tmp_path / "cache" / "fits") == []


def test_a_read_only_cache_is_read_and_not_written(
    small_disk: Path, reports: list[str], tensors: Tensors, key: str
) -> None:
    """Entries are loaded, saving is one plain error, and a lock is done without, saying so."""
    store = Store(small_disk / "cache", on_damage=reports.append)
    store.save(Kind.FIT, key, tensors, {})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    assert store.load(Kind.FIT, key) is not None
    assert reports == []
    for attempt in (store.prepare, lambda: store.save(Kind.FIT, digest({}), tensors, {})):
        with pytest.raises(StorageError, match="read-only"):
            attempt()
    ran = False
    with store.lock(digest({}), on_wait=pytest.fail, check=lambda: None):
        ran = True
    assert ran
    store.note_shot(key, name="p", frames="1-2", size=(1, 1), preset="draft", keys=[key])
    store.drop(Kind.FIT, key)
    assert ["locked" in reports[0], "index" in reports[1], "remove" in reports[2]] == [True] * 3
    assert store.load(Kind.FIT, key) is not None


def test_a_folder_without_permission_is_one_plain_error(
    tmp_path: Path, reports: list[str], tensors: Tensors, key: str
) -> None:
    """A cache under a folder that forbids writing is refused by name."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only disk covers it")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="permissions forbid"):
            Store(tmp_path / "cache", on_damage=reports.append).save(Kind.FIT, key, tensors, {})
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_the_cache_should_be_is_one_plain_error(
    tmp_path: Path, reports: list[str]
) -> None:
    """`--cache` naming a file is told so."""
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        Store(tmp_path / "cache", on_damage=reports.append).prepare()


def peak_mib(work: Callable[[], object]) -> float:
    """Most memory that was taken meanwhile, in MiB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_an_entry_that_is_only_looked_at_takes_no_memory(store: Store, key: str) -> None:
    """Found when it is saved again, or when another was first: its digest is all that counts."""
    large: Tensors = {"x": np.ones((16, 2**20), np.float32)}
    store.save(Kind.CLIP, key, large, {})
    assert peak_mib(lambda: store.save(Kind.CLIP, key, large, {})) < 24.0
    other = store.folder / "clips" / ".tmp-of-another"
    other.mkdir()
    (other / "file").touch()
    final = store.entry_folder(Kind.CLIP, key)
    assert peak_mib(lambda: store._put_in_place(other, final, Kind.CLIP, key)) < 24.0
    assert peak_mib(lambda: store.load(Kind.CLIP, key)) > 64.0
    assert peak_mib(lambda: store._discard(Kind.CLIP, key)) < 24.0  # it is sound, and stays
    assert store.load(Kind.CLIP, key) is not None
