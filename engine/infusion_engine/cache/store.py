"""The store: entries saved whole or not at all, and trusted only when their digests agree."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import platformdirs

from infusion_engine.cache import lock as process_lock
from infusion_engine.cache.entry import (
    RECORD_FILE,
    Damage,
    Entry,
    Kind,
    flush_folder,
    read_entry,
    write_entry,
)
from infusion_engine.cache.shot_index import ShotNote, now, write_note
from infusion_engine.cache.tensor_file import Memory, Room, Tensors
from infusion_engine.errors import StorageError

__all__ = ["Entry", "Kind", "Store", "Tensors", "default_folder"]

TAG_FILE = "CACHEDIR.TAG"
TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Infusion Inpaint cache: fits and samples that can be computed again.\n"
    "# `infusion-cache prune` clears it; backup programs may leave it out.\n"
)
TEMPORARY = ".tmp-"
_KEY = re.compile(r"[0-9a-f]{64}")
LOST_AFTER_SECONDS = 600.0
"""Time without a sign of life after which a lock's holder is taken for gone."""
_ATTEMPTS = 10
"""Times that another process may come in between before we give up."""
_TAKEN = frozenset((errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR))
"""What renaming a folder to a name that is taken answers, by filesystem and by what is there."""


def default_folder() -> Path:
    """The user's own cache folder, where none was named."""
    return Path(platformdirs.user_cache_dir("infusion-inpaint", appauthor=False))


class Store:
    """Fits and samples in one folder, which any number of processes may share.

    Made for reading it touches nothing; the folder comes into being when something is saved.
    """

    def __init__(self, folder: Path, *, on_damage: Callable[[str], None]) -> None:
        """A store in `folder`; `on_damage` hears, as one sentence, of everything passed over."""
        self.folder = folder
        self._on_damage = on_damage
        self._told_unlocked = False

    def prepare(self) -> None:
        """Make the folder and prove that it can be written, before hours of work depend on it.

        Raises:
            StorageError: it cannot.
        """
        try:
            for kind in Kind:
                (self.folder / kind.value).mkdir(parents=True, exist_ok=True)
            (self.folder / "locks").mkdir(exist_ok=True)
            tag = self.folder / TAG_FILE
            if not tag.exists():
                tag.write_text(TAG, encoding="ascii")
            probe = self._temporary(Kind.SAMPLE)
            try:
                probe.mkdir()
                (probe / "probe").write_bytes(b"\0" * 4096)
            finally:
                shutil.rmtree(probe, ignore_errors=True)
        except OSError as error:
            raise self._refused(error, "a cache folder that can be written") from error

    def entry_folder(self, kind: Kind, key: str) -> Path:
        """Where an entry lies, or would lie.

        Raises:
            ValueError: `key` is not 64 hexadecimal digits.
        """
        return self.folder / kind.value / _checked(key)

    def has(self, kind: Kind, key: str) -> bool:
        """True when both files of an entry are there; `load` alone knows whether they are sound."""
        folder = self.entry_folder(kind, key)
        return (folder / RECORD_FILE).is_file() and (folder / kind.tensor_file).is_file()

    def load(self, kind: Kind, key: str, *, room: Room | None = None) -> Entry | None:
        """The entry saved under `key`, or None when there is none that can be trusted.

        Its tensors are put into `room`, None for memory. A damaged entry is reported and removed,
        so that it is computed again.

        Raises:
            StorageError: an entry is there and cannot be read now (permissions, too many files).
        """
        entry = self._sound(kind, key, room or Memory())
        if entry is not None:
            with contextlib.suppress(OSError):  # a cache that is only read keeps no last use
                os.utime(self.entry_folder(kind, key) / RECORD_FILE)
        return entry

    def save(
        self,
        kind: Kind,
        key: str,
        tensors: Tensors,
        record: Mapping[str, object],
        *,
        room: Room | None = None,
    ) -> None:
        """Save an entry whole; one that is already there and sound is kept.

        Args:
            kind: what it is.
            key: 64 hexadecimal digits.
            tensors: arrays by name, of numpy's numeric types.
            record: what determined it and what it was made with, as JSON can say it; the cache's
                own fields (`entry.OWN_FIELDS`) must not be in it.
            room: where the tensors lie; None for memory.

        Raises:
            StorageError: the disk is full, not writable, or failing; nothing is left behind.
        """
        final = self.entry_folder(kind, key)
        if self._sound(kind, key, None) is not None:
            return
        self.prepare()
        temporary = self._temporary(kind)
        try:
            temporary.mkdir()
            write_entry(temporary, kind, key, tensors, record, room=room or Memory())
            self._put_in_place(temporary, final, kind, key)
        except OSError as error:
            raise self._refused(error, f"room for a {kind.word}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def drop(self, kind: Kind, key: str) -> None:
        """Remove an entry at once and whole; one that cannot be removed is reported and stays."""
        folder = self.entry_folder(kind, key)
        away = self._temporary(kind)
        try:
            folder.rename(away)
        except FileNotFoundError:
            return
        except OSError as error:
            self._on_damage(f"The cache cannot remove {folder}: {error.strerror}.")
            return
        erase(away)

    def lock_file(self, key: str) -> Path:
        """The file whose lock says that a process is at work on `key`."""
        return self.folder / "locks" / f"{_checked(key)}.lock"

    @contextlib.contextmanager
    def lock(
        self, key: str, *, on_wait: Callable[[], None], check: Callable[[], None]
    ) -> Iterator[None]:
        """Keep other processes from doing the same work for the length of a `with` block.

        `on_wait` is called once if another process holds the lock, `check` about five times a
        second while it does; what `check` raises ends the wait. A lock ends with its process.
        Where the filesystem cannot lock, or a holder is lost, this is reported (once) and the
        block runs all the same: nothing but work hangs on a lock.
        """
        path = self.lock_file(key)
        with contextlib.suppress(OSError):  # if that failed, locking fails too and says so
            path.parent.mkdir(parents=True, exist_ok=True)

        def on_no_lock(reason: str) -> None:
            if self._told_unlocked:
                return
            self._told_unlocked = True
            self._on_damage(
                f"The cache {self.folder} cannot be locked ({reason}): another process may do "
                "the same work again; results are not affected."
            )

        with process_lock.held(
            path,
            on_wait=on_wait,
            check=check,
            on_no_lock=on_no_lock,
            patience=LOST_AFTER_SECONDS,
        ):
            yield

    def note_shot(
        self,
        clip: str,
        *,
        name: str,
        frames: str,
        size: tuple[int, int],
        preset: str,
        keys: Iterable[str],
    ) -> None:
        """Note in the index what entries belong to; a note that cannot be written is reported.

        Args:
            clip: `ClipDigest` of the shot.
            name: the plate's pattern.
            frames: inclusive frame range.
            size: (width, height) of the worked region.
            preset: the preset's name.
            keys: of every fit and sample this render reads or writes, in their order; may be told
                before they exist. While one of them is locked, none of them is pruned.
        """
        note = ShotNote(clip, name, frames, size, preset, tuple(keys), now())
        try:
            write_note(self.folder / "shots", note)
        except OSError as error:
            self._on_damage(
                f"The cache's index {self.folder / 'shots'} cannot be written: {error.strerror}."
            )

    def damage(self, kind: Kind, key: str) -> Damage | None:
        """What is wrong with an entry, all of it read; None when it is sound or not there.

        Raises:
            StorageError: an entry is there and cannot be read now.
        """
        found = self._read(kind, key, None)
        return found if isinstance(found, Damage) else None

    def _read(self, kind: Kind, key: str, room: Room | None) -> Entry | Damage | None:
        folder = self.entry_folder(kind, key)
        try:
            found = read_entry(folder, kind, key, room)
            for _ in range(_ATTEMPTS):
                if not isinstance(found, Damage):
                    break
                # Another process may have replaced the entry between two of our reads: only what
                # is damaged in a folder that stayed the same is damaged.
                before = _stamp(folder)
                found = read_entry(folder, kind, key, room)
                if _stamp(folder) == before:
                    break
        except OSError as error:
            raise StorageError(
                f"The cache's {kind.word} {folder} cannot be read: {error.strerror or error}.",
                remedy="Put its permissions right, or choose another --cache.",
            ) from error
        return found

    def _sound(self, kind: Kind, key: str, room: Room | None) -> Entry | None:
        """The entry, if it can be trusted; without `room` all of it is read and nothing kept."""
        found = self._read(kind, key, room)
        if isinstance(found, Damage):
            self._on_damage(
                f"The cache's {kind.word} {self.entry_folder(kind, key)} is damaged: "
                f"{found.reason}. It is removed and computed again."
            )
            self._discard(kind, key)
            return None
        return found

    def _discard(self, kind: Kind, key: str) -> None:
        """Remove a damaged entry, unless another process put a sound one in its place meanwhile."""
        folder, away = self.entry_folder(kind, key), self._temporary(kind)
        try:
            folder.rename(away)
        except OSError:
            self.drop(kind, key)  # which says why it cannot
            return
        try:
            sound = isinstance(read_entry(away, kind, key, None), Entry)
        except OSError:
            sound = False
        if sound:  # what was read was damaged and what was moved is not
            with contextlib.suppress(OSError):  # a third process saved it once more
                away.rename(folder)
        erase(away)

    def _put_in_place(self, temporary: Path, final: Path, kind: Kind, key: str) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                temporary.rename(final)
            except OSError as error:
                # A file server may answer that it failed when it was done, or by another word.
                if self._sound(kind, key, None) is not None:
                    return
                if error.errno not in _TAKEN or attempt == _ATTEMPTS - 1:
                    raise
            else:
                flush_folder(final.parent)
                return
            # Another process left something that is no entry and is now removed.

    def _temporary(self, kind: Kind) -> Path:
        """A name that no reader looks at and that says which process it belongs to."""
        owner = f"{this_host()}-{os.getpid()}-{secrets.token_hex(8)}"
        return self.folder / kind.value / f"{TEMPORARY}{owner}"

    def _refused(self, error: OSError, expected: str) -> StorageError:
        reasons = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EFBIG: "the file would be larger than is allowed here",
            errno.EROFS: "the filesystem is read-only",
            errno.EACCES: "its permissions forbid writing",
            errno.EPERM: "its permissions forbid writing",
            errno.ENOTDIR: "a file stands where a folder is needed",
            errno.EEXIST: "a file stands where a folder is needed",
        }
        reason = reasons.get(error.errno or 0, error.strerror or str(error))
        return StorageError(
            f"The cache {self.folder} cannot be written: {reason}; expected {expected}.",
            remedy="Make room, prune it with `infusion-cache prune`, or choose another --cache.",
        )


def erase(path: Path) -> None:
    """Remove a file or a whole folder that no reader looks at; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def is_key(name: str) -> bool:
    """True when `name` is a key's 64 hexadecimal digits."""
    return _KEY.fullmatch(name) is not None


def _stamp(folder: Path) -> tuple[int, int] | None:
    """What tells one folder of a name from the next; None when there is none."""
    try:
        found = folder.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def _checked(key: str) -> str:
    if not is_key(key):
        raise ValueError(f"a cache key is 64 hexadecimal digits, not {key!r}")
    return key


def this_host() -> str:
    """This machine's name as it stands in the names of temporary folders."""
    return re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())
