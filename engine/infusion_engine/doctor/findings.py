"""Findings: what each check came to, what to do where it is not well, and what it all means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from infusion_engine.errors import DeviceError, InfusionError, StorageError

_UNFORESEEN = (
    "Install the engine again, in an environment of its own; if that does not help, report this."
)


class Outcome(str, Enum):
    """What a check came to."""

    OK = "ok"
    """All is well."""
    WARNING = "warning"
    """A render would run, and somebody should know this all the same."""
    FAILED = "failed"
    """A render would not run, or not as it should."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    """What was looked at, in a word or two."""
    outcome: Outcome
    """What it came to."""
    found: str
    """What was found, on one line."""
    remedy: str = ""
    """What to do about it; empty where all is well."""
    exit_code: int = 0
    """What the command leaves with on its account; 0 unless it failed."""


@dataclass(frozen=True)
class Section:
    """Findings that belong together."""

    name: str
    """Its heading."""
    findings: tuple[Finding, ...]
    """In the order in which they are shown."""


def ok(name: str, found: str) -> Finding:
    """A check that found all well."""
    return Finding(name, Outcome.OK, _one_line(found))


def warning(name: str, found: str, remedy: str) -> Finding:
    """A check that found what a render gets along with."""
    return Finding(name, Outcome.WARNING, _one_line(found), _one_line(remedy))


def failed(name: str, found: str, remedy: str, *, exit_code: int = 1) -> Finding:
    """A check that found what a render does not get along with."""
    return Finding(name, Outcome.FAILED, _one_line(found), _one_line(remedy), exit_code)


def failure(name: str, error: Exception) -> Finding:
    """A check that ended with an error: its words, and the exit code a render would have."""
    exit_code = error.exit_code if isinstance(error, DeviceError | StorageError) else 1
    if isinstance(error, InfusionError):
        return failed(name, error.message, error.remedy or _UNFORESEEN, exit_code=exit_code)
    return failed(name, f"{type(error).__name__}: {error}", _UNFORESEEN, exit_code=exit_code)


def carried_out(name: str, check: Callable[[], Finding]) -> Finding:
    """What `check` finds; an error that it raises is a finding, and stops nothing."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong here is what was asked for
        return failure(name, error)


def section(name: str, look: Callable[[], Sequence[Finding]]) -> Section:
    """What `look` finds, under a heading; an error that it raises is the only finding then."""
    try:
        return Section(name, tuple(look()))
    except Exception as error:  # noqa: BLE001 - such as a library that cannot be imported
        return Section(name, (failure(name, error),))


def failures(sections: Iterable[Section]) -> list[Finding]:
    """Every finding on account of which a render would not run, in the page's order."""
    found = (finding for one in sections for finding in one.findings)
    return [finding for finding in found if finding.outcome is Outcome.FAILED]


def exit_code(sections: Iterable[Section]) -> int:
    """0 when a render would run, else the exit code of the first failure on the page."""
    first = next(iter(failures(sections)), None)
    return 0 if first is None else first.exit_code


def _one_line(text: str) -> str:
    """A library's words may come on several lines; spaces within a line are a path's own."""
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
