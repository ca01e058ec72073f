"""What every command shares: errors become one plain message and an exit code.

A command is declared with `cls=ShellCommand` (or `ShellGroup`) and then simply raises. The exit
codes: 0 done, 2 usage or a fit that diverged, 3 unusable input, 4 out of memory or device lost, 5
cache or disk, 130 cancelled, and 1 for a defect of ours, which alone shows a traceback.
"""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from infusion_engine.errors import (
    Cancelled,
    DeviceError,
    InfusionError,
    StorageError,
)

_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class _Shell(click.Command):
    """Runs a click command and turns whatever it raises into a message and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command and leave the process with its exit code.

        A command that returns an int leaves with it. With `standalone_mode` off, errors go up as
        they are.
        """
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        try:
            outcome = super().main(args, prog_name, complete_var, False, **extra)
        except click.ClickException as error:
            error.show()
            self.told_early(sys.argv[1:] if args is None else args, error.format_message())
            sys.exit(error.exit_code)
        except BrokenPipeError:
            sys.exit(1)  # the reader went away: nobody to tell
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the end of every error
            sys.exit(show_error(error))
        sys.exit(outcome if isinstance(outcome, int) else 0)

    def told_early(self, arguments: Sequence[str], message: str) -> None:
        """Hear of arguments that cannot be understood, which stderr has been told of."""


class ShellCommand(_Shell):
    """A click command that reports errors as this project does."""


class ShellGroup(_Shell, click.Group):
    """A click group that reports errors as this project does; its commands simply raise."""


def recognised(error: BaseException) -> InfusionError | None:
    """The deliberate error that `error` is or stands for; None when it is a defect of ours.

    Rooms raise deliberate errors themselves; what is caught here are troubles that may strike on
    any line: an interrupt, no memory left, a disk that is full or went read-only.
    """
    if isinstance(error, InfusionError):
        return error
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return Cancelled("The run was cancelled.", remedy="Run the same command again to go on.")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return DeviceError(
            f"Out of memory: {str(error).strip() or 'an allocation failed'}.",
            remedy="Lower --memory, or --set working_size, or free memory.",
        )
    if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
        where = f" {error.filename}" if error.filename else ""
        return StorageError(
            f"Cannot read or write{where}: {error.strerror}.",
            remedy="Free some space or choose another folder, then run the same command again.",
        )
    return None


def show_error(error: BaseException) -> int:
    """Print `error` on stderr as this project does and return the exit code that belongs to it."""
    known = recognised(error)
    if known is None:
        traceback.print_exception(error, file=sys.stderr)
        _print_error(
            "\nThis is a defect of Infusion Inpaint: please report it with the lines above."
        )
        return 1
    _print_error(known.message if isinstance(known, Cancelled) else f"Error: {known.message}")
    if known.remedy:
        _print_error(known.remedy)
    return known.exit_code


def _print_error(text: str) -> None:
    """A line on stderr; nobody listening there must not change the exit code."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)
