"""Locks between processes, which end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

POLL_SECONDS = 0.05
CHECK_SECONDS = 0.2
BEAT_SECONDS = 20.0
"""Time between two signs of life that a holder leaves at its lock file."""


@contextlib.contextmanager
def held(
    path: Path,
    *,
    on_wait: Callable[[], None],
    check: Callable[[], None],
    on_no_lock: Callable[[str], None],
    patience: float | None = None,
) -> Iterator[None]:
    """Hold the lock file `path` for the length of a `with` block.

    Args:
        path: the lock file; its folder must exist. It stays when the lock is released, because
            removing a locked file lets two processes hold locks of the same name.
        on_wait: called once, when another process is found to hold the lock.
        check: called about five times a second while waiting; what it raises ends the wait.
        on_no_lock: called with the reason where the filesystem cannot lock; the block then runs
            without one, because a lock only saves work.
        patience: seconds after which a holder that shows no sign of life is taken for gone, as a
            machine that lost power is whose lock its file server still keeps; None for never. Only
            whether the lock file's time changes is looked at, so that no two clocks are compared.
    """
    # The system's lock goes when its process dies. A soft lock (a file that exists) would stay.
    lock = filelock.FileLock(path, fallback_to_soft=False)
    acquired = False
    waiting = False
    life = _Life(path)
    while not acquired:
        check()
        try:
            lock.acquire(timeout=CHECK_SECONDS if waiting else 0, poll_interval=POLL_SECONDS)
            acquired = True
        except filelock.Timeout:
            if not waiting:
                waiting = True
                on_wait()
            if patience is not None and life.silent_for() >= patience:
                on_no_lock("whoever holds the lock shows no sign of life")
                break
        except OSError as error:  # the filesystem has no locks, or this file cannot be opened
            on_no_lock(str(error))
            break
    with _beating(path) if acquired else contextlib.nullcontext():
        try:
            yield
        finally:
            if acquired:
                with contextlib.suppress(OSError):  # what was done under it is done
                    lock.release()


class _Life:
    """When a holder was last seen alive, by this process's own clock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: int | None = None
        self._when = time.monotonic()

    def silent_for(self) -> float:
        """Seconds since its lock file last changed, as far as it was looked at."""
        try:
            now = self._path.stat().st_mtime_ns
        except OSError:
            now = None
        if now != self._seen:
            self._seen, self._when = now, time.monotonic()
        return time.monotonic() - self._when


@contextlib.contextmanager
def _beating(path: Path) -> Iterator[None]:
    """Leave a sign of life at the lock file now and every few seconds of the block."""
    over = threading.Event()

    def beat() -> None:
        while True:
            with contextlib.suppress(OSError):  # a sign of life is worth no error
                os.utime(path)
            if over.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_held(path: Path) -> bool:
    """True while another process, or another lock of this one, holds the lock file `path`.

    Also where only another user can tell: what may be in use is left alone.
    """
    if not path.exists():
        return False
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except (filelock.Timeout, PermissionError):
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
