"""Runs that a farm does: what it reads and writes is its own, and waiting for it is a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infusion_node.job_folder import JobFolder, Where
from infusion_node.node import InfusionNode
from infusion_node.status import State, Status
from infusion_node.wire.job import RenderJob
from tests.node.stand_ins import DIES, FINISH, CountingHost, ended, make_engine, until

WAITS = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say("progress", phase="farm", done=1, total=3, figures={})
while not os.path.exists(os.path.join(folder, "cancel")):
    say("heartbeat", seconds=1.0, phase="farm")
    time.sleep(0.02)
say("failed", code="left", message="Not waiting any longer: 1 of 3.", remedy="The farm goes on.")
"""
"""A farm that has written one of three frames."""


def _with_farm(tmp_path: Path, script: str) -> Path:
    """An engine, and beside it a farm's command that does what the script says."""
    engine = make_engine(tmp_path, script)
    shutil.copy2(engine, engine.with_name("infusion-farm"))
    return engine


def _sent(node: InfusionNode, engine: Path, **knobs: object) -> Status:
    """Send to the farm and go on until that was started, or could not be."""
    for status in node.inpaint({"engine": str(engine), **knobs}, Where.FARM):
        last = status
    return last


def test_a_farm_s_run_reads_and_writes_in_its_own_folder(tmp_path: Path) -> None:
    """No later run changes what its tasks read; fits are shared by all runs that a farm does."""
    host = CountingHost(tmp_path / "work")
    node, engine = InfusionNode(host), _with_farm(tmp_path, FINISH)
    for number in (1, 2):
        _sent(node, engine)
        assert until(node, ended).state is State.DONE
        own = tmp_path / f"work/runs/000{number}"
        job = RenderJob.from_json((own / "job.json").read_text())
        assert job.plate == str(own / "footage/plate/plate.%04d.exr")
        assert job.output == str(own / "result")
        assert job.cache == str(tmp_path / "work/cache")
    assert len(host.written) == 12
    assert not (tmp_path / "work/footage").exists()
    _sent(node, engine, cache="/mnt/cache", output="/mnt/out")
    job = RenderJob.from_json((tmp_path / "work/runs/0003/job.json").read_text())
    assert (job.cache, job.output) == ("/mnt/cache", "/mnt/out")
    until(node, ended)


def test_the_command_and_the_record_say_who_does_it(tmp_path: Path) -> None:
    """The command hands over and waits; the record tells whoever opens the script again."""
    node, engine = InfusionNode(CountingHost(tmp_path / "work")), _with_farm(tmp_path, WAITS)
    assert _sent(node, engine).line == "Making the job ready for the farm."
    run = JobFolder(tmp_path / "work").latest_run()
    assert run is not None
    record = run.read_record()
    assert record is not None
    assert record.where is Where.FARM
    assert record.command == (
        *(str(engine.with_name("infusion-farm")), "submit", "--wait", "--job", str(run.job)),
        *("--events", "none", "--events-file", str(run.events)),
    )
    until(node, lambda status: status.line == "Waiting for the farm's frames, 1 of 3.")
    again = InfusionNode(CountingHost(tmp_path / "work"))
    assert again.attach().state is State.RUNNING
    again.cancel()
    status = until(again, ended)
    assert (status.state, status.line) == (State.CANCELLED, "Not waiting any longer: 1 of 3.")
    assert status.remedy == "The farm goes on."


def test_one_that_is_gone_is_no_end_of_the_farm_s_work(tmp_path: Path) -> None:
    """What is lost is the waiting: so it is said, and what to do."""
    node, engine = InfusionNode(CountingHost(tmp_path / "work")), _with_farm(tmp_path, DIES)
    _sent(node, engine)
    status = until(node, ended)
    assert status.state is State.FAILED
    assert status.line.startswith("The engine ended")
    assert "The farm may go on" in status.remedy


def test_without_the_farm_s_command_nothing_is_written(tmp_path: Path) -> None:
    """An engine of a release that had none."""
    host = CountingHost(tmp_path / "work")
    node, engine = InfusionNode(host), make_engine(tmp_path, FINISH)
    status = _sent(node, engine)
    assert status.state is State.FAILED
    assert "There is no infusion-farm beside the engine" in status.line
    assert host.written == []
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("found", ["elsewhere", 3])
def test_a_record_of_a_later_release_is_none(tmp_path: Path, found: object) -> None:
    """Who does a run in a way that is not known here cannot be followed."""
    run = JobFolder(tmp_path).new_run()
    run.record.write_text(
        f'{{"pid": 1, "machine": "m", "command": ["c"], "started": 1, "where": "{found}"}}'
    )
    assert run.read_record() is None
