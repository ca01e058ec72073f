"""The log file: plain lines that are appended, a failure's too, whatever stdout shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_engine.cli.log_file import LogFile
from infusion_engine.errors import StorageError
from infusion_node.wire.events import Failed, Heartbeat, Started, Warned


def test_lines_are_appended_and_outlive_the_run(tmp_path: Path) -> None:
    """A second run goes on in the same file; each line is there as soon as it is said."""
    path = tmp_path / "logs/render.log"
    first = LogFile(path)
    first.write(Started("1.0", 1, "here"), time=0.0)
    assert path.read_text() == "Infusion Inpaint 1.0\n"
    first.close()
    second = LogFile(path)
    second.write(Heartbeat(1.0), time=0.0)
    second.write(Warned("Odd.", "Look."), time=0.0)
    second.write(Failed("storage", "Full.", "Make room.", 5), time=0.0)
    second.close()
    assert path.read_text().splitlines() == [
        "Infusion Inpaint 1.0",
        "Warning: Odd. Look.",
        "Error: Full. Make room.",
    ]


def test_paths_that_are_no_text_are_spelled_out(tmp_path: Path) -> None:
    """A name of other bytes than UTF-8 does not end the run."""
    path = tmp_path / "render.log"
    log = LogFile(path)
    log.write(Warned("plate\udcff.exr"), time=0.0)
    log.close()
    assert path.read_text() == "Warning: plate\\udcff.exr\n"


def test_a_log_that_cannot_be_is_one_plain_error(tmp_path: Path) -> None:
    """It names the file."""
    with pytest.raises(StorageError, match=str(tmp_path)):
        LogFile(tmp_path)
