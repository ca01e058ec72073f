"""Windows: how a process is started without a console window, and whether one is still there."""

from __future__ import annotations

import sys
from typing import Any, Protocol

CREATE_NO_WINDOW = 0x08000000
"""A console without a window, which what it starts shares. DETACHED_PROCESS would give none, and
each console program that it starts would open a window of its own."""

_QUERY, _SYNCHRONIZE = 0x1000, 0x100000  # PROCESS_QUERY_LIMITED_INFORMATION, SYNCHRONIZE
_NO_SUCH_PROCESS = 87  # ERROR_INVALID_PARAMETER: that is what it says
_STILL_RUNS = 0x102  # WAIT_TIMEOUT
_TICKS, _EPOCH = 10_000_000, 11_644_473_600  # FILETIME: 100 ns each, since 1601
_NEAR_SECONDS = 60.0  # between a process's beginning and the note of it


class Kernel(Protocol):
    """What is asked of Windows."""

    def open(self, access: int, pid: int) -> int:
        """A handle on a process; 0 when there is none to be had."""

    def last_error(self) -> int:
        """Why there was none."""

    def wait(self, handle: int) -> int:
        """0 when the process has ended."""

    def created(self, handle: int) -> int:
        """When it began, as a FILETIME; 0 when that cannot be found out."""

    def close(self, handle: int) -> None:
        """Give the handle back."""


def is_alive(pid: int, started: float, kernel: Kernel) -> bool:
    """False when the process has certainly gone, or its id is another's by now.

    `started` is when it was started, in seconds since 1970.
    """
    handle = kernel.open(_QUERY | _SYNCHRONIZE, pid)
    if not handle:
        return kernel.last_error() != _NO_SUCH_PROCESS  # another user's cannot be looked at
    try:
        created = kernel.created(handle)
        is_another = bool(created) and abs(created / _TICKS - _EPOCH - started) > _NEAR_SECONDS
        return kernel.wait(handle) == _STILL_RUNS and not is_another
    finally:
        kernel.close(handle)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class OwnKernel:
        """Windows itself."""

        def __init__(self) -> None:
            self._dll: Any = ctypes.WinDLL("kernel32", use_last_error=True)
            self._dll.OpenProcess.restype = wintypes.HANDLE
            self._dll.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
            self._dll.WaitForSingleObject.restype = wintypes.DWORD
            self._dll.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)
            self._dll.GetProcessTimes.argtypes = (
                wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4,
            )  # fmt: skip
            self._dll.CloseHandle.argtypes = (wintypes.HANDLE,)

        def open(self, access: int, pid: int) -> int:
            """OpenProcess."""
            return self._dll.OpenProcess(access, False, pid) or 0

        def last_error(self) -> int:
            """GetLastError, as the last call left it."""
            return ctypes.get_last_error()

        def wait(self, handle: int) -> int:
            """WaitForSingleObject, for no time at all."""
            return int(self._dll.WaitForSingleObject(handle, 0))

        def created(self, handle: int) -> int:
            """The first of GetProcessTimes."""
            times = [wintypes.FILETIME() for _ in range(4)]
            if not self._dll.GetProcessTimes(handle, *map(ctypes.byref, times)):
                return 0
            return (times[0].dwHighDateTime << 32) | times[0].dwLowDateTime

        def close(self, handle: int) -> None:
            """CloseHandle."""
            self._dll.CloseHandle(handle)
