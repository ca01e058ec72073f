"""One cache entry as files: a folder with one tensor file and its record, sealed by digests."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from infusion_engine.cache.key import SCHEMA_VERSION, plain
from infusion_engine.cache.tensor_file import Room, TensorFileError, Tensors, packed, unpacked

RECORD_FILE = "record.json"
_AT_ONCE = 1 << 24  # bytes of a file
_DAMAGE = frozenset((errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ESTALE))
"""What reading a file answers when it is broken, or was replaced on a file server meanwhile; any
other trouble may pass, and proves nothing."""
_NOT_FLUSHED = frozenset((errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES))
"""What flushing a folder answers on filesystems, of file servers for the most part, that cannot."""
OWN_FIELDS = frozenset(
    ("schema_version", "kind", "key", "created", "sizes", "bytes", "sha256", "seal")
)
"""Fields of a record that the cache writes itself; a caller's record must not hold them."""


_TENSOR_FILES = {
    "fits": "weights.safetensors",
    "samples": "sample.safetensors",
    "budgets": "speeds.safetensors",
    "clips": "clip.safetensors",
    "jobs": "holes.safetensors",
}


class Kind(str, Enum):
    """What an entry holds; its value is the folder that such entries lie in."""

    FIT = "fits"
    """The weights fitted to one interval."""
    SAMPLE = "samples"
    """What one interval's sampling left behind."""
    BUDGET = "budgets"
    """The numbers of steps that fit the minutes a render was given, and the speeds they rest on."""

    CLIP = "clips"
    """An encoded shot at every size, that machines which round differently work on alike."""
    JOB = "jobs"
    """What was found out about a job once for all machines: its clip, and what was left open."""

    @property
    def tensor_file(self) -> str:
        """Name of the tensor file inside the entry's folder."""
        return _TENSOR_FILES[self.value]

    @property
    def word(self) -> str:
        """`fit`, `sample`, `budget`, `clip` or `job`, for messages."""
        return self.value.removesuffix("s")


@dataclass(frozen=True)
class Entry:
    """What was saved under a key."""

    tensors: Tensors
    """Arrays by name, bit for bit as they were saved."""
    record: dict[str, object]
    """The caller's record and the cache's own fields."""


@dataclass(frozen=True)
class Damage:
    """Why an entry cannot be trusted."""

    reason: str
    """What was found, as the end of a sentence."""


def write_entry(
    folder: Path,
    kind: Kind,
    key: str,
    tensors: Tensors,
    record: Mapping[str, object],
    *,
    room: Room,
) -> None:
    """Write and flush both files of an entry, whose tensors lie in `room`, into a folder.

    Raises:
        OSError: the disk does not take it.
        TypeError: the record holds something that JSON cannot say.
        ValueError: the record holds one of the cache's own fields.
    """
    taken = OWN_FIELDS & record.keys()
    if taken:
        raise ValueError(f"a record's {', '.join(sorted(taken))} are written by the cache itself")
    seal, count = hashlib.sha256(), 0
    with (folder / kind.tensor_file).open("xb") as file:
        for piece in packed(tensors, room):
            seal.update(piece)
            count += file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    whole: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind.word,
        "key": key,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sizes": {name: list(array.shape) for name, array in tensors.items()},
        "bytes": count,
        "sha256": seal.hexdigest(),
    }
    for name, value in record.items():
        whole[name] = plain(value)
    whole["seal"] = _seal(whole)
    _write(folder / RECORD_FILE, (json.dumps(whole, indent=2) + "\n").encode("ascii"))
    flush_folder(folder)


def read_entry(folder: Path, kind: Kind, key: str, room: Room | None) -> Entry | Damage | None:
    """The entry in `folder`, what is wrong with it, or None when there is no such folder.

    Its tensors are put into `room`, or, where that is None, read and not kept.

    Raises:
        OSError: it may be sound, and cannot be read now (no permission, too many open files).
    """
    record = read_record(folder, kind, key)
    if not isinstance(record, dict):
        return record
    try:
        with (folder / kind.tensor_file).open("rb") as file:
            found = _read_tensors(file, record, room)
    except OSError as error:
        return _unreadable(folder, kind.tensor_file, error)
    if isinstance(found, Damage):
        return Damage(f"its {kind.tensor_file} {found.reason}")
    return Entry(found, record)


def _read_tensors(
    file: io.BufferedReader, record: Mapping[str, object], room: Room | None
) -> Tensors | Damage:
    """The tensors of a file, all of it checked against the record; a damage's reason is half."""
    count = os.fstat(file.fileno()).st_size
    if count != record.get("bytes"):
        return Damage(f"is {count} bytes long, {record.get('bytes')} were written")
    seal, tensors, wrong = hashlib.sha256(), Tensors(), ""
    try:
        tensors = unpacked(file, count, room, seal.update)
    except TensorFileError as error:
        wrong = str(error)
        while rest := file.read(_AT_ONCE):
            seal.update(rest)
    if seal.hexdigest() != record.get("sha256"):
        return Damage("does not have the digest it was written with")
    return Damage(f"holds no tensors ({wrong})") if wrong else tensors


def read_record(folder: Path, kind: Kind, key: str) -> dict[str, object] | Damage | None:
    """The record in `folder`, what is wrong with it, or None when there is no such folder.

    Raises:
        OSError: it may be sound, and cannot be read now.
    """
    try:
        text = (folder / RECORD_FILE).read_bytes()
    except OSError as error:
        return _unreadable(folder, RECORD_FILE, error)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return Damage(f"its {RECORD_FILE} is no JSON")
    if not isinstance(record, dict) or record.get("seal") != _seal(record):
        return Damage(f"its {RECORD_FILE} is not as it was written")
    found = (record.get("schema_version"), record.get("kind"), record.get("key"))
    if found != (SCHEMA_VERSION, kind.word, key):
        return Damage(f"it belongs to {found[1]} {found[2]} of schema {found[0]}")
    return record


def flush_folder(folder: Path) -> None:
    """Have the names inside `folder` reach the disk, where its filesystem can be asked to.

    Windows has no such call and needs none.

    Raises:
        OSError: the disk does not take it.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_FLUSHED:
            raise
    finally:
        os.close(descriptor)


def _seal(record: Mapping[str, object]) -> str:
    """Digest of every field but the seal itself; a loss that is not a number is allowed here."""
    rest = {name: value for name, value in record.items() if name != "seal"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _unreadable(folder: Path, name: str, error: OSError) -> Damage | None:
    if not os.path.lexists(folder):
        return None
    if isinstance(error, FileNotFoundError):
        return Damage(f"its {name} is missing")
    if error.errno in _DAMAGE:
        return Damage(f"its {name} cannot be read ({error.strerror})")
    raise error


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
