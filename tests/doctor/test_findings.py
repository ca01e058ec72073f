"""Findings: errors become findings, other checks go on, and the first failure tells the code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from infusion_engine.doctor.findings import (
    Finding,
    Outcome,
    Section,
    carried_out,
    exit_code,
    failed,
    failures,
    ok,
    section,
    warning,
)
from infusion_engine.errors import (
    Cancelled,
    DeviceError,
    FrameError,
    InfusionError,
    StorageError,
)


def raising(error: BaseException) -> Finding:
    """A check that ends so."""
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeviceError("The device is gone.", remedy="Find it."), 4),
        (StorageError("The disk is full.", remedy="Find room."), 5),
        (FrameError("The frame is damaged.", remedy="Find another."), 1),
    ],
)
def test_a_deliberate_error_is_a_finding_in_its_own_words(error: InfusionError, code: int) -> None:
    """Message and remedy are the error's, and so is the exit code of device and storage."""
    finding = carried_out("it", lambda: raising(error))
    assert finding == Finding("it", Outcome.FAILED, error.message, error.remedy, code)


def test_an_error_that_nobody_foresaw_is_a_finding_on_one_line() -> None:
    """Its kind and its words are told, with something to do, and the exit code is 1."""
    finding = carried_out("it", lambda: raising(ImportError("libx.so:\n  no such file")))
    assert (finding.outcome, finding.exit_code) == (Outcome.FAILED, 1)
    assert finding.found == "ImportError: libx.so: no such file"
    assert finding.remedy


def test_a_section_that_cannot_be_looked_at_is_one_failure() -> None:
    """A library that cannot be imported is told under the section's name."""

    def look() -> Sequence[Finding]:
        raise ModuleNotFoundError("No module named 'torch'")

    found = section("Device", look)
    (finding,) = found.findings
    assert (finding.name, finding.outcome) == ("Device", Outcome.FAILED)
    assert finding.found == "ModuleNotFoundError: No module named 'torch'"


def test_a_stop_is_no_finding() -> None:
    """Ctrl-C ends the command, whatever is being looked at."""
    with pytest.raises(KeyboardInterrupt):
        carried_out("it", lambda: raising(KeyboardInterrupt()))


def test_warnings_do_not_keep_a_render_from_running() -> None:
    """Only a failure changes the exit code."""
    sections = [
        Section("A", (ok("a", "well"), warning("b", "not quite", "Look."))),
        Section("B", ()),
    ]
    assert failures(sections) == []
    assert exit_code(sections) == 0


def test_the_first_failure_tells_the_exit_code() -> None:
    """The order is the page's."""
    first = failed("a", "no disk", "Find one.", exit_code=5)
    second = failed("b", "no device", "Find one.", exit_code=4)
    sections = [Section("A", (ok("x", "well"), first)), Section("B", (second,))]
    assert failures(sections) == [first, second]
    assert exit_code(sections) == 5


def test_every_failure_has_an_exit_code_that_is_not_zero() -> None:
    """A cancelled check would leave with 1, like any other that was not meant to fail."""
    assert carried_out("it", lambda: raising(Cancelled("Stopped."))).exit_code == 1
