"""What every command does with an error: one message, one exit code; defects show a traceback."""

from __future__ import annotations

import errno
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from infusion_engine.cli.shell import ShellCommand, ShellGroup, recognised
from infusion_engine.errors import (
    Cancelled,
    DeviceError,
    FrameError,
    InfusionError,
    MatteError,
    SequenceError,
    StorageError,
    UsageError,
)


def _raising(error: BaseException) -> click.Command:
    """A command that fails in one way."""

    @click.command(cls=ShellCommand)
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (UsageError, 2),
        (SequenceError, 3),
        (FrameError, 3),
        (MatteError, 3),
        (DeviceError, 4),
        (StorageError, 5),
        (Cancelled, 130),
    ],
)
def test_deliberate_errors_are_a_message_and_an_exit_code(
    kind: type[InfusionError], exit_code: int
) -> None:
    """The message, then what to do, on stderr; nothing on stdout, no traceback."""
    result = CliRunner().invoke(_raising(kind("This was found.", remedy="Do that.")))

    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr.removeprefix("Error: ") == "This was found.\nDo that.\n"


@pytest.mark.parametrize(
    ("error", "exit_code", "word"),
    [
        (KeyboardInterrupt(), 130, "cancelled"),
        (click.Abort(), 130, "cancelled"),
        (MemoryError("Unable to allocate 30 GiB"), 4, "Unable to allocate 30 GiB"),
        (OSError(errno.ENOSPC, "No space left on device", "/c/x"), 5, "/c/x: No space left"),
        (OSError(errno.EROFS, "Read-only file system", "/c/x"), 5, "/c/x: Read-only"),
    ],
)
def test_troubles_that_strike_anywhere_are_recognised(
    error: BaseException, exit_code: int, word: str
) -> None:
    """An interrupt, no memory, a full or read-only disk are nobody's defect, wherever they come."""
    result = CliRunner().invoke(_raising(error))

    assert result.exit_code == exit_code
    assert word in result.stderr
    assert "Traceback" not in result.stderr


def test_a_defect_shows_its_traceback_and_asks_to_report() -> None:
    """What nobody foresaw must be findable."""
    result = CliRunner().invoke(_raising(ZeroDivisionError("by nothing")))

    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: by nothing" in result.stderr
    assert "report" in result.stderr.splitlines()[-1]


def test_other_system_errors_are_defects() -> None:
    """A missing file that no room spoke about is a mistake of ours."""
    assert recognised(FileNotFoundError(errno.ENOENT, "No such file")) is None


@click.group(cls=ShellGroup)
def group() -> None:
    """Several commands in one."""


@group.command()
def fails() -> None:
    """Fails on purpose."""
    raise StorageError("No disk.", remedy="Buy one.")


@group.command()
@click.option("--number", type=int)
def counts(number: int) -> int:
    """Leaves with a number."""
    return number


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["fails"], 5),
        (["counts", "--number", "3"], 3),
        (["counts", "--number", "0"], 0),
        (["counts", "--number", "many"], 2),
        (["counts", "--sort"], 2),
        (["nothing"], 2),
        (["--help"], 0),
    ],
)
def test_groups_do_the_same(arguments: list[str], exit_code: int) -> None:
    """Errors of a command inside a group, and click's own, keep their exit codes."""
    result = CliRunner().invoke(group, arguments)

    assert result.exit_code == exit_code
    assert "Traceback" not in result.output


def test_a_reader_who_leaves_ends_a_command_quietly() -> None:
    """Like `infusion-cache list | head -1`: no traceback, no complaint at exit."""
    code = (
        "import click\nfrom infusion_engine.cli.shell import ShellCommand\n"
        "@click.command(cls=ShellCommand)\n"
        "def lots():\n    for line in range(100000): click.echo('x' * 100)\n"
        "lots(args=[])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1
    process.stderr.close()
