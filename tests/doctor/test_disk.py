"""Disk: how much room is enough, too little, and in between; and a real disk is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_engine.doctor.amount import GIB, MIB
from infusion_engine.doctor.disk import checks, judged
from infusion_engine.doctor.findings import Outcome

HERE = Path("here")


@pytest.mark.parametrize(
    ("free", "outcome", "exit_code"),
    [
        (0, Outcome.FAILED, 5),
        (200 * MIB - 1, Outcome.FAILED, 5),
        (200 * MIB, Outcome.WARNING, 0),
        (5 * GIB - 1, Outcome.WARNING, 0),
        (5 * GIB, Outcome.OK, 0),
        (2**50, Outcome.OK, 0),
    ],
)
def test_room_is_judged_by_two_thresholds(free: int, outcome: Outcome, exit_code: int) -> None:
    """A warning under 5 GiB, a storage failure under 200 MiB; both say what to do."""
    finding = judged("cache folder", HERE, free)
    assert (finding.outcome, finding.exit_code) == (outcome, exit_code)
    assert bool(finding.remedy) == (outcome is not Outcome.OK)
    assert "free at here" in finding.found


def test_the_disk_of_a_folder_that_is_not_there_yet_is_asked(tmp_path: Path) -> None:
    """The nearest folder that exists tells, also where a file is in the way."""
    (tmp_path / "file").write_text("in the way")
    findings = checks(tmp_path / "file" / "cache", tmp_path / "none" / "below")
    assert [finding.name for finding in findings] == ["cache folder", "temporary folder"]
    for finding in findings:
        assert " free at " in finding.found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
