"""Locks between processes, which end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

POLL_SECONDS = 0.05
CHECK_SECONDS = 0.2


@contextlib.contextmanager
def held(
    path: Path,
    *,
    on_wait: Callable[[], None],
    check: Callable[[], None],
    on_no_lock: Callable[[str], None],
) -> Iterator[None]:
    """Hold the lock file `path` for the length of a `with` block.

    Args:
        path: the lock file; its folder must exist. It stays when the lock is released, because
            removing a locked file lets two processes hold locks of the same name.
        on_wait: called once, when another process is found to hold the lock.
        check: called about five times a second while waiting; what it raises ends the wait.
        on_no_lock: called with the reason where the filesystem cannot lock; the block then runs
            without one, because a lock only saves work.
    """
    # The system's lock goes when its process dies. A soft lock (a file that exists) would stay.
    lock = filelock.FileLock(path, fallback_to_soft=False)
    acquired = False
    waiting = False
    while not acquired:
        check()
        try:
            lock.acquire(timeout=CHECK_SECONDS if waiting else 0, poll_interval=POLL_SECONDS)
            acquired = True
        except filelock.Timeout:
            if not waiting:
                waiting = True
                on_wait()
        except OSError as error:  # the filesystem has no locks, or this file cannot be opened
            on_no_lock(str(error))
            break
    try:
        yield
    finally:
        if acquired:
            lock.release()


def is_held(path: Path) -> bool:
    """True while another process, or another lock of this one, holds the lock file `path`."""
    if not path.exists():
        return False
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def remove_unheld(path: Path) -> None:
    """Remove the lock file `path` unless a process holds it.

    It is removed while we hold it: whoever opened it just before finds it without a name, and
    makes a new one.
    """
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except OSError:  # filelock.Timeout is one too
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:  # Windows removes no open file; it is a few bytes
        pass
    finally:
        lock.release()
