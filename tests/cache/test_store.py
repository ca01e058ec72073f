"""Entries come back bit for bit, or are reported and recomputed; they are never half there."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.entry import OWN_FIELDS, RECORD_FILE
from infusion_engine.cache.key import digest
from infusion_engine.cache.store import TAG_FILE, Kind, Store, Tensors
from infusion_engine.errors import StorageError

KINDS = pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.word)


def bits(tensors: Tensors) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Everything about arrays that may not change."""
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in tensors.items()}


@KINDS
def test_an_entry_comes_back_bit_for_bit(
    store: Store, reports: list[str], tensors: Tensors, key: str, kind: Kind
) -> None:
    """Arrays keep type, shape and bits, NaN and -0 too; the record keeps what the caller wrote."""
    assert store.load(kind, key) is None
    store.save(kind, key, tensors, {"identity": {"interval": (0, 50)}, "loss": 0.25})
    entry = store.load(kind, key)
    assert entry is not None
    assert bits(entry.tensors) == bits(tensors)
    assert entry.record["identity"] == {"interval": [0, 50]}
    assert (entry.record["kind"], entry.record["key"]) == (kind.word, key)
    assert entry.record.keys() == OWN_FIELDS | {"identity", "loss"}
    assert store.has(kind, key)
    assert reports == []


def test_the_folders_are_as_documented(store: Store, tensors: Tensors, key: str) -> None:
    """fits/KEY/weights.safetensors, samples/KEY/sample.safetensors, a record beside each, a tag."""
    for kind in Kind:
        store.save(kind, key, tensors, {})
    files = {str(p.relative_to(store.folder)) for p in store.folder.rglob("*") if p.is_file()}
    assert files == {
        TAG_FILE,
        f"fits/{key}/weights.safetensors",
        f"fits/{key}/record.json",
        f"samples/{key}/sample.safetensors",
        f"samples/{key}/record.json",
        f"budgets/{key}/speeds.safetensors",
        f"budgets/{key}/record.json",
        f"clips/{key}/clip.safetensors",
        f"clips/{key}/record.json",
        f"jobs/{key}/holes.safetensors",
        f"jobs/{key}/record.json",
    }


def test_fits_and_samples_do_not_mix(store: Store, tensors: Tensors, key: str) -> None:
    """A fit's key finds no sample."""
    store.save(Kind.FIT, key, tensors, {})
    assert not store.has(Kind.SAMPLE, key)
    assert store.load(Kind.SAMPLE, key) is None


def test_a_loss_that_is_not_a_number_does_not_lose_the_fit(
    store: Store, tensors: Tensors, key: str
) -> None:
    """A record may hold NaN, unlike an identity."""
    store.save(Kind.FIT, key, tensors, {"loss": float("nan")})
    assert store.load(Kind.FIT, key) is not None


def test_a_sound_entry_is_kept(store: Store, tensors: Tensors, key: str) -> None:
    """Saving under a key that is there changes nothing: both must stand for the same result."""
    store.save(Kind.FIT, key, tensors, {"run": 1})
    store.save(Kind.FIT, key, tensors, {"run": 2})
    entry = store.load(Kind.FIT, key)
    assert entry is not None
    assert entry.record["run"] == 1


def test_dropping_removes_the_whole_entry(store: Store, tensors: Tensors, key: str) -> None:
    """A dropped entry is gone, and dropping it again is no error."""
    store.save(Kind.SAMPLE, key, tensors, {})
    store.drop(Kind.SAMPLE, key)
    store.drop(Kind.SAMPLE, key)
    assert store.load(Kind.SAMPLE, key) is None
    assert list((store.folder / "samples").iterdir()) == []


def test_a_store_that_is_only_looked_at_makes_no_folder(store: Store, key: str) -> None:
    """Reading, asking and dropping leave no trace where there was no cache."""
    assert store.load(Kind.FIT, key) is None
    assert not store.has(Kind.FIT, key)
    store.drop(Kind.FIT, key)
    assert not store.folder.exists()


@pytest.mark.parametrize("key", ["", "x", "../" + "a" * 61, "A" * 64, "a" * 63, "a" * 65])
def test_a_key_that_is_no_digest_is_refused(store: Store, tensors: Tensors, key: str) -> None:
    """Nothing but 64 hexadecimal digits becomes a path."""
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        store.save(Kind.FIT, key, tensors, {})
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        store.lock_file(key)


def test_a_record_may_not_speak_for_the_cache(store: Store, tensors: Tensors, key: str) -> None:
    """A caller's `sha256` or an object JSON cannot say is refused, and nothing is left behind."""
    with pytest.raises(ValueError, match="sha256"):
        store.save(Kind.FIT, key, tensors, {"sha256": "x"})
    with pytest.raises(TypeError):
        store.save(Kind.FIT, key, tensors, {"device": Path("cpu")})
    assert list((store.folder / "fits").iterdir()) == []


# ----------------------------------------------------------------------------------- damage

Harm = Callable[[Path, Path], object]
"""Does something to an entry's tensor file and record."""


def _flip(path: Path, where: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def _without(record: Path, name: str) -> None:
    fields = json.loads(record.read_text(encoding="ascii"))
    del fields[name]
    record.write_text(json.dumps(fields), encoding="ascii")


def _swap_with_another_entry(tensor: Path, record: Path) -> None:
    """Put a sound entry of another key under this key's name."""
    other = Store(tensor.parents[2], on_damage=print)
    key = digest({"another": "identity"})
    other.save(Kind.FIT, key, {"a": np.zeros(3)}, {})
    folder = other.entry_folder(Kind.FIT, key)
    (folder / RECORD_FILE).replace(record)
    (folder / Kind.FIT.tensor_file).replace(tensor)


def _pickle_with_a_valid_digest(tensor: Path, record: Path) -> None:
    """A pickle that would leave a mark, with a record that vouches for it."""
    content = pickle.dumps(_Mark(tensor.parents[2] / "unpickled"))
    tensor.write_bytes(content)
    fields = json.loads(record.read_text(encoding="ascii"))
    fields |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    del fields["seal"]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    fields["seal"] = hashlib.sha256(text.encode("ascii")).hexdigest()
    record.write_text(json.dumps(fields), encoding="ascii")


class _Mark:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def _folder_for_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _of_tensors(harm: Callable[[Path], object]) -> Harm:
    return lambda tensor, _record: harm(tensor)


def _of_record(harm: Callable[[Path], object]) -> Harm:
    return lambda _tensor, record: harm(record)


HARMS: dict[str, Harm] = {
    "tensors truncated": _of_tensors(lambda path: os.truncate(path, path.stat().st_size - 1)),
    "tensors longer": _of_tensors(lambda path: os.truncate(path, path.stat().st_size + 1)),
    "tensors of zero length": _of_tensors(lambda path: os.truncate(path, 0)),
    "tensors missing": _of_tensors(Path.unlink),
    "tensors are a folder": _of_tensors(_folder_for_file),
    "a bit of the header": _of_tensors(lambda path: _flip(path, 0)),
    "a bit in the middle": _of_tensors(lambda path: _flip(path, 0.5)),
    "the last bit": _of_tensors(lambda path: _flip(path, 1)),
    "record missing": _of_record(Path.unlink),
    "record of zero length": _of_record(lambda path: os.truncate(path, 0)),
    "record truncated": _of_record(lambda path: os.truncate(path, path.stat().st_size // 2)),
    "a bit of the record": _of_record(lambda path: _flip(path, 0.3)),
    "another value in the record": _of_record(
        lambda path: path.write_text(path.read_text().replace('"loss": 0.25', '"loss": 0.75'))
    ),
    "record is a list": _of_record(lambda path: path.write_text("[]")),
    "record is deep": _of_record(lambda path: path.write_text("[" * 100_000)),
    "record without digest": _of_record(lambda path: _without(path, "sha256")),
    "another entry's files": _swap_with_another_entry,
    "a pickle with its digest": _pickle_with_a_valid_digest,
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_damaged_entry_is_reported_removed_and_saved_again(
    store: Store, reports: list[str], tensors: Tensors, key: str, harm: Harm
) -> None:
    """Every kind of damage gives None, one report naming the entry, and room for a new one."""
    store.save(Kind.FIT, key, tensors, {"loss": 0.25})
    folder = store.entry_folder(Kind.FIT, key)
    harm(folder / Kind.FIT.tensor_file, folder / RECORD_FILE)

    assert store.load(Kind.FIT, key) is None
    assert len(reports) == 1
    assert str(folder) in reports[0]
    assert "damaged" in reports[0]
    assert not folder.exists()
    assert not any(path.name.startswith(".tmp") for path in folder.parent.iterdir())
    assert not (store.folder / "unpickled").exists()

    store.save(Kind.FIT, key, tensors, {})
    entry = store.load(Kind.FIT, key)
    assert entry is not None
    assert bits(entry.tensors) == bits(tensors)
    assert len(reports) == 1


@pytest.mark.parametrize("content", ["empty folder", "file"])
def test_something_else_under_an_entrys_name_makes_way(
    store: Store, reports: list[str], tensors: Tensors, key: str, content: str
) -> None:
    """An empty folder or a stray file where an entry belongs is replaced by the entry."""
    place = store.entry_folder(Kind.FIT, key)
    place.parent.mkdir(parents=True)
    if content == "file":
        place.write_text("stray")
    else:
        place.mkdir()
    store.save(Kind.FIT, key, tensors, {})
    assert store.load(Kind.FIT, key) is not None
    assert len(reports) == 1
    assert [path.name for path in place.parent.iterdir()] == [key]


def test_what_comes_in_between_and_is_no_entry_makes_way(
    store: Store,
    reports: list[str],
    tensors: Tensors,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process leaves half an entry there when ours is about to get its name."""
    place, rename = store.entry_folder(Kind.FIT, key), Path.rename

    def after_another(path: Path, target: Path) -> Path:
        if target == place and not reports:
            place.mkdir()
            (place / "half").write_text("an entry")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", after_another)
    store.save(Kind.FIT, key, tensors, {})
    assert store.load(Kind.FIT, key) is not None
    assert len(reports) == 1


def test_saving_over_a_damaged_entry_replaces_it(
    store: Store, reports: list[str], tensors: Tensors, key: str
) -> None:
    """`save` trusts what is there no more than `load` does."""
    store.save(Kind.FIT, key, tensors, {"run": 1})
    os.truncate(store.entry_folder(Kind.FIT, key) / Kind.FIT.tensor_file, 10)
    store.save(Kind.FIT, key, tensors, {"run": 2})
    entry = store.load(Kind.FIT, key)
    assert entry is not None
    assert entry.record["run"] == 2
    assert len(reports) == 1


def test_everything_is_flushed_before_the_entry_gets_its_name(
    store: Store, tensors: Tensors, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors, record and their folder reach the disk, then the rename, then the parent folder."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc/self/fd to tell which file is flushed")
    store.prepare()
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(f"flush {'temporary' if path.name.startswith('.tmp') else path.name}")

    def noted_rename(path: Path, target: Path) -> Path:
        done.append(f"rename to {'key' if target.name == key else target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    store.save(Kind.FIT, key, tensors, {})
    assert done == [
        "flush weights.safetensors",
        "flush record.json",
        "flush temporary",
        "rename to key",
        "flush fits",
    ]


def test_an_entry_that_cannot_be_read_is_not_taken_for_damaged(
    store: Store, reports: list[str], tensors: Tensors, key: str
) -> None:
    """With no file descriptors left a sound entry is an error, not something to remove."""
    import resource

    store.save(Kind.FIT, key, tensors, {})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(StorageError, match="cannot be read"):
            store.load(Kind.FIT, key)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.load(Kind.FIT, key) is not None
    assert reports == []


def test_the_cache_loads_without_torch() -> None:
    """Listing and checking a cache must not wait for torch to be imported."""
    script = (
        "import sys, infusion_engine.cache.store, infusion_engine.cache.prune, "
        "infusion_engine.cli.cache\nprint('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
