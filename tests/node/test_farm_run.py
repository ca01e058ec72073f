"""Runs that a farm does: what it reads and writes is its own, and waiting for it is a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from infusion_node import node as node_module
from infusion_node.job_folder import JobFolder, Where
from infusion_node.launch import Running
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


FARM = {**os.environ, "INFUSION_FARM": "deadline-cloud"}
"""A host's environment that names a scheduler."""


def _node(host: CountingHost) -> InfusionNode:
    """A node of a host that names one."""
    return InfusionNode(host, environment=FARM)


def _with_farm(tmp_path: Path, script: str) -> Path:
    """An engine, and beside it a farm's command that does what the script says."""
    engine = make_engine(tmp_path, script)
    shutil.copy2(engine, engine.with_name("infusion-farm"))
    return engine


def _sent(node: InfusionNode, engine: Path, **knobs: object) -> Status:
    """Send to the farm and go on until that was started, or could not be."""
    return [*node.inpaint({"engine": str(engine), **knobs}, Where.FARM)][-1]


def test_a_farm_s_run_reads_and_writes_in_its_own_folder(tmp_path: Path) -> None:
    """No later run changes what its tasks read; fits are shared by all runs that a farm does."""
    host = CountingHost(tmp_path / "work")
    node, engine = _node(host), _with_farm(tmp_path, FINISH)
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
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, WAITS)
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
    again = _node(CountingHost(tmp_path / "work"))
    assert again.attach().state is State.RUNNING
    again.cancel()
    status = until(again, ended)
    assert (status.state, status.line) == (State.CANCELLED, "Not waiting any longer: 1 of 3.")
    assert status.remedy == "The farm goes on."


HANDS_OVER = """
result = os.path.join(job["output"], "plate.%04d.exr")
output = dict(files=result, write={write!r}, layer="infusion", further_takes={further!r})
say("resolved", plan=dict(plate=dict(frames="1001-1003"), output=output))
say("progress", phase="sending", done=0, total=0, figures={{}})
say("progress", phase="farm", done=0, total=3, figures={{}})
"""
"""A farm that has the job."""
GONE = HANDS_OVER.format(write="layer", further=[]) + DIES


def _put(folder: Path, *frames: int) -> None:
    """What a farm's tasks write."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        (folder / f"plate.{frame}.exr").touch()


def test_one_that_is_gone_is_no_end_of_the_farm_s_work(tmp_path: Path) -> None:
    """The frames in the run's own folder are counted on, and the run is done with the last."""
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, GONE)
    _sent(node, engine)
    result = tmp_path / "work/runs/0001/result"
    until(node, lambda status: status.line == "Waiting for the farm's frames, 0 of 3.")
    _put(result, 1001, 1003)
    until(node, lambda status: status.line == "Waiting for the farm's frames, 2 of 3.")
    again = _node(CountingHost(tmp_path / "work"))
    assert again.attach().line == "Waiting for the farm's frames, 2 of 3."
    _put(result, 1002)
    for one in (node, again):
        status = until(one, ended)
        assert (status.state, status.fraction) == (State.DONE, 1.0)
        assert status.line == "Done: the farm has written 3 frames."
        assert status.result == str(result / "plate.%04d.exr")


def test_every_take_is_counted(tmp_path: Path) -> None:
    """Where takes are merged each has files of its own."""
    second = tmp_path / "work/runs/0001/result/take2"
    further = [str(second / "plate.%04d.exr")]
    script = HANDS_OVER.format(write="merged", further=further) + DIES
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, script)
    _sent(node, engine)
    _put(second.parent, 1001, 1002, 1003)
    until(node, lambda status: status.line == "Waiting for the farm's frames, 3 of 6.")
    _put(second, 1001, 1002, 1003)
    assert until(node, ended).state is State.DONE


def test_a_percent_sign_in_a_name_is_no_frame_number(tmp_path: Path) -> None:
    """Names come from the artist's plate."""
    script = HANDS_OVER.format(write="layer", further=[]).replace("plate.%", "50%_grade_%d.%")
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, script + DIES)
    _sent(node, engine)
    until(node, lambda status: status.line == "Waiting for the farm's frames, 0 of 3.")
    for frame in (1001, 1002, 1003):
        path = tmp_path / f"work/runs/0001/result/50%_grade_%d.{frame}.exr"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert until(node, ended).state is State.DONE


def test_where_frames_could_be_another_run_s_they_tell_nothing(tmp_path: Path) -> None:
    """In a folder that the artist names frames of an earlier run may stand."""
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, GONE)
    _put(tmp_path / "fill", 1001, 1002, 1003)
    _sent(node, engine, output=str(tmp_path / "fill"))
    status = until(node, ended)
    assert status.state is State.FAILED
    assert status.line.startswith("The engine ended")
    assert status.remedy == "The farm may have the job: look there, and into the log."


def test_frames_that_the_farm_goes_on_with_are_no_mixture(tmp_path: Path) -> None:
    """Whoever does not wait any longer has to press nothing for the rest."""
    script = HANDS_OVER.format(write="layer", further=[]) + 'say("frame", frame=1001, path="x")\n'
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, script + WAITS)
    _sent(node, engine, output=str(tmp_path / "fill"))
    until(node, lambda status: status.written != ())
    node.cancel()
    status = until(node, ended)
    assert (status.state, status.warnings) == (State.CANCELLED, ())


def test_one_that_is_gone_before_it_handed_anything_over(tmp_path: Path) -> None:
    """Nothing is waited for."""
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, DIES)
    _sent(node, engine)
    status = until(node, ended)
    assert (status.state, status.remedy) == (State.FAILED, "Send it again; the log says more.")


def test_one_that_is_silent_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no device, for which another would wait; and its frames may come."""
    monkeypatch.setattr(node_module, "LOST_SECONDS", 0.05)
    silent = HANDS_OVER.format(write="layer", further=[]) + "time.sleep(600)"
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, silent)
    _sent(node, engine)
    until(node, lambda status: status.line == "Waiting for the farm's frames, 0 of 3.")
    _put(tmp_path / "work/runs/0001/result", 1001, 1002, 1003)
    assert until(node, ended).state is State.DONE
    run = node.run
    assert run is not None
    record = run.read_record()
    assert record is not None
    Running(record, None).kill()


def test_one_that_is_cancelled_amid_the_hand_over(tmp_path: Path) -> None:
    """The farm may have the job, and Inpaint would not go on from there."""
    refuses = 'say("failed", code="cancelled", message="Stopped.", remedy="Run it again.")'
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, refuses)
    _sent(node, engine)
    status = until(node, ended)
    assert (status.state, status.line) == (State.CANCELLED, "Not waiting for the farm any longer.")
    assert status.remedy == "It may have the job: end it there."


@pytest.mark.parametrize("frames", [1, 2])
def test_nothing_is_left_of_a_run_that_was_not_started(tmp_path: Path, frames: int) -> None:
    """Cancelled while frames are written for it: nobody will use them."""
    node, engine = _node(CountingHost(tmp_path / "work")), _with_farm(tmp_path, FINISH)
    steps = node.inpaint({"engine": str(engine)}, Where.FARM)
    for _ in range(frames):
        next(steps)
    node.cancel()
    assert [status.state for status in steps][-1] is State.CANCELLED
    assert list((tmp_path / "work/runs").iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "knobs", "words"),
    [({}, {}, "INFUSION_FARM is not set"), (FARM, {"use_cache": False}, "through the cache")],
)
def test_what_no_farm_takes_is_said_before_a_frame_is_written(
    tmp_path: Path, variables: dict[str, str], knobs: dict[str, object], words: str
) -> None:
    """Writing frames takes a while, and nobody would use them."""
    host = CountingHost(tmp_path / "work")
    node, engine = InfusionNode(host, environment=variables), _with_farm(tmp_path, FINISH)
    status = _sent(node, engine, **knobs)
    assert status.state is State.FAILED
    assert words in status.line
    assert host.written == []
    assert not (tmp_path / "work").exists()


def test_without_the_farm_s_command_nothing_is_written(tmp_path: Path) -> None:
    """An engine of a release that had none."""
    host = CountingHost(tmp_path / "work")
    node, engine = _node(host), make_engine(tmp_path, FINISH)
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
