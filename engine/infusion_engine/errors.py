"""Every error the engine raises on purpose, drawn once, each knowing its exit code.

    InfusionError                 never raised itself
    ├── UsageError           2    the command line or the job asks for something impossible
    ├── InputError           3    a file or a sequence cannot be used
    │   ├── SequenceError         frames are missing, mixed, or named in a way nothing matches
    │   ├── FrameError            one file is damaged or of a kind that is refused by name
    │   └── MatteError            the matte does not belong to the plate
    ├── FitError             2    a fit diverged with the numbers that were given
    ├── DeviceError          4    out of memory, or the device was lost
    ├── StorageError         5    the cache or the output cannot be written or read
    └── Cancelled          130    somebody asked the run to stop

A message says what was found, in which file, and what was expected; `remedy` says what to do.
Anything else that escapes is a defect of ours, exits with 1, and shows its traceback.
"""

from __future__ import annotations

from typing import ClassVar


class InfusionError(Exception):
    """Base of every deliberate error.

    `message` is what was found and what was expected; `remedy` is one sentence on what to do.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "internal"  # the machine-readable word in the `failed` event

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message and the remedy as one line."""
        return f"{self.message} {self.remedy}".rstrip()


class UsageError(InfusionError):
    """The command line or the job asks for something impossible."""

    exit_code = 2
    code = "usage"


class FitError(InfusionError):
    """A fit diverged with the numbers that were given: there is nothing to sample from."""

    exit_code = 2
    code = "fit"


class InputError(InfusionError):
    """A file or a sequence cannot be used."""

    exit_code = 3
    code = "input"


class SequenceError(InputError):
    """Frames are missing, mixed, or named in a way that nothing on disk matches."""

    code = "sequence"


class FrameError(InputError):
    """One file is damaged, or of a kind that is refused by name."""

    code = "frame"


class MatteError(InputError):
    """The matte does not belong to the plate, or leaves nothing to learn from."""

    code = "matte"


class DeviceError(InfusionError):
    """Out of memory, or the device was lost."""

    exit_code = 4
    code = "device"


class StorageError(InfusionError):
    """The cache or the output cannot be written or read."""

    exit_code = 5
    code = "storage"


class Cancelled(InfusionError):
    """Somebody asked the run to stop; everything finished is kept."""

    exit_code = 130
    code = "cancelled"


class LeftToFarm(Cancelled):
    """Somebody asked not to wait any longer for what a farm does; the farm goes on."""

    code = "left"
