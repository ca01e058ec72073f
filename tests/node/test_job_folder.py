"""The job folder: runs that never collide, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_node.errors import FolderError
from infusion_node.job_folder import JobFolder, RunRecord, read_json, write_text

RECORD = RunRecord(7, "here", ("infusion-render", "--job", "j"), 12.5)


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Numbered in their order; the latest is the last that an engine was started for."""
    folder = JobFolder(tmp_path / "work")
    assert folder.latest_run() is None
    runs = [folder.new_run() for _ in range(3)]
    assert [run.path.name for run in runs] == ["0001", "0002", "0003"]
    assert folder.latest_run() is None
    for run in runs[:2]:
        run.write_record(RECORD)
    assert folder.latest_run() == runs[1]


def test_a_record_comes_back(tmp_path: Path) -> None:
    """Who was started, as it was written; None when it is missing or damaged."""
    run = JobFolder(tmp_path).new_run()
    assert run.read_record() is None
    run.write_record(RECORD)
    assert run.read_record() == RECORD
    run.record.write_text('{"pid": "many"}')
    assert run.read_record() is None


def test_the_log_is_told_from_its_end(tmp_path: Path) -> None:
    """The last lines, without blank ones, of a log however long and in whatever bytes."""
    run = JobFolder(tmp_path).new_run()
    assert run.last_log_lines() == ()
    run.log.write_bytes(b"x" * 100_000 + b"\n\nlast but one\nlast \xff\n\n")
    assert run.last_log_lines(2) == ("last but one", "last \N{REPLACEMENT CHARACTER}")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where it cannot be, the message says where and why, and nothing is left behind."""
    target = tmp_path / "a" / "job.json"
    write_text(target, "{}")
    write_text(target, '{"seed": 1}')
    assert read_json(target) == {"seed": 1}
    assert [path.name for path in target.parent.iterdir()] == ["job.json"]

    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"Cannot write .*Not a directory|File exists"):
        write_text(tmp_path / "file" / "job.json", "{}")
    with pytest.raises(FolderError):
        JobFolder(tmp_path / "file").new_run()


@pytest.mark.parametrize("text", ["", "[1]", "{torn", '"text"'])
def test_a_file_that_holds_no_object_holds_nothing(tmp_path: Path, text: str) -> None:
    """Damage is never a traceback."""
    path = tmp_path / "x.json"
    path.write_text(text)
    assert read_json(path) == {}
