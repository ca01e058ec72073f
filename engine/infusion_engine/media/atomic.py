"""Puts a file in its place whole or not at all, and says what stood in the way."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infusion_engine.errors import StorageError

_ABANDONED_SECONDS = 3600.0
_REMEDIES = {
    errno.ENOSPC: "Free some space and run the same command again.",
    errno.EDQUOT: "Free some of your quota and run the same command again.",
    errno.EFBIG: "Write where files of this size are allowed.",
    errno.EROFS: "Choose an output on a disk that can be written.",
    errno.EACCES: "Choose an output folder that you may write to, or change its permissions.",
    errno.EPERM: "Choose an output folder that you may write to, or change its permissions.",
}


def storage_error(target: Path, error: OSError) -> StorageError:
    """`error` as one plain message that names `target` and the cause."""
    cause = error.strerror or str(error)
    return StorageError(
        f"{target} could not be written: {cause}.",
        remedy=_REMEDIES.get(error.errno or 0, "Check the output's disk and run again."),
    )


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`, whose file takes `target`'s name when the block ends well.

    The temporary's name begins with a dot and keeps the suffix; it is flushed to the disk before it
    is renamed, and removed when the block raises. The folder is made where it is missing.

    Raises:
        StorageError: the disk is full, read-only or forbidden; names `target` and the cause.
    """
    try:
        _make_folder(target.parent)
        temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise storage_error(target, error) from error
    try:
        yield temporary
        _place(temporary, target)
    except OSError as error:
        raise storage_error(target, error) from error
    finally:
        with suppress(OSError):  # already renamed, or a disk that refuses even this
            temporary.unlink()
    _sweep(target)


def write_bytes(target: Path, content: bytes) -> None:
    """`content` under the name `target`, whole or not at all.

    Raises:
        StorageError: the disk is full, read-only or forbidden.
    """
    with replacing(target) as temporary:
        temporary.write_bytes(content)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error


def _place(temporary: Path, target: Path) -> None:
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.replace(target)
    with suppress(OSError, AttributeError):  # not every system lets a folder be flushed
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sweep(target: Path) -> None:
    """Removes what killed processes left of this target; a young one may be somebody's at work.

    How old it is says the target, which was written just now: a file server stamps both, by a clock
    of its own.
    """
    try:
        present = target.stat().st_mtime
    except OSError:  # somebody took it away at once
        return
    for left in target.parent.glob(f".{_literal(target.stem)}.*.part{_literal(target.suffix)}"):
        with suppress(OSError):
            if present - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink()


def _literal(text: str) -> str:
    """`text` with the characters that a glob would expand made literal."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
