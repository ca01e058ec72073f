"""The node's states, with real processes: done, failed in every way there is, cancelled, found."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest

import infusion_node.node as node_module
from infusion_node.errors import BusyError, SetupError
from infusion_node.host import Clip, Footage
from infusion_node.node import InfusionNode
from infusion_node.status import State, Status
from infusion_node.wire.job import RenderJob
from tests.node.stand_ins import (
    DIES,
    FINISH,
    REFUSES,
    SPEAKS_AND_LEAVES,
    UNTIL_CANCELLED,
    CountingHost,
    NowhereHost,
    ended,
    make_engine,
    pressed,
    until,
)

NodeOf = Callable[[CountingHost], InfusionNode]
HEEDLESS = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    say("heartbeat", seconds=1.0, phase="inpainting")
    time.sleep(0.05)
"""


def job_of(node: InfusionNode) -> RenderJob:
    """The job that was handed to the engine."""
    assert node.run is not None
    return RenderJob.from_json(node.run.job.read_text())


def test_a_run_goes_from_idle_through_its_states_to_done(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Idle, serialising while the host writes, running while the engine works, done."""
    node = node_of(host)
    seen = [node.status.state]
    shown = {"engine": str(make_engine(tmp_path, FINISH))}
    seen += [status.state for status in node.inpaint(shown)]
    seen.append(until(node, ended).state)

    assert list(dict.fromkeys(seen)) == [
        State.IDLE, State.SERIALISING, State.RUNNING, State.DONE,
    ]  # fmt: skip
    assert node.status.line == "Done: 3 frames in 1 s."
    assert host.written == [(clip, n) for clip in ("plate", "matte") for n in (1001, 1002, 1003)]


def test_the_job_says_what_the_panel_and_the_inputs_say(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Written frames, frame range, knobs; result and report in the run's own folder."""
    node = node_of(host)
    engine = make_engine(tmp_path, FINISH)
    pressed(node, {"engine": str(engine), "seed": 7, "layer": "fire", "minutes": 0.0, "view": ""})

    work = host.folder
    assert job_of(node) == RenderJob(
        plate=str(work / "footage/plate/plate.%04d.exr"),
        matte=str(work / "footage/matte/matte.%04d.exr"),
        output=str(work / "runs/0001/result"),
        frames="1001-1003",
        seed=7,
        layer="fire",
        report=str(work / "runs/0001/report"),
    )


def test_files_that_nothing_has_changed_are_handed_over_as_they_are(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Nothing is rendered of a Read; a matte that is not connected is a channel of the plate."""
    host.plate = Footage(1001, 1048, files="/shots/fire.%04d.exr")
    host.matte = None
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, FINISH)), "frames": "1010-1012"})

    assert host.written == []
    assert job_of(node).plate == "/shots/fire.%04d.exr"
    assert job_of(node).matte is None
    assert job_of(node).frames == "1010-1012"


def test_handles_are_written_as_far_as_the_plate_goes(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """The frames to learn from are serialised too, and the job asks for the range alone."""
    host.plate = host.matte = Footage(1, 10)
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, FINISH)), "frames": "3-9", "handles": 4})

    assert [n for clip, n in host.written if clip == "plate"] == list(range(1, 11))
    assert (job_of(node).frames, job_of(node).handles) == ("3-9", 4)


def test_a_still_matte_is_written_once(host: CountingHost, node_of: NodeOf, tmp_path: Path) -> None:
    """One frame of matte holds for the whole shot, and is not taken for an earlier sequence's."""
    node, shown = node_of(host), {"engine": str(make_engine(tmp_path, FINISH))}
    pressed(node, shown)
    until(node, ended)
    host.written.clear()
    host.matte = Footage(1, 1)
    pressed(node, shown)
    assert host.written == [("matte", 1)]
    matte = job_of(node).matte
    assert matte is not None
    assert [path.name for path in Path(matte).parent.iterdir()] == ["matte.exr"]


def test_a_second_press_while_it_works_is_refused(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """One run at a time for each node."""
    node = node_of(host)
    shown = {"engine": str(make_engine(tmp_path, UNTIL_CANCELLED))}
    pressed(node, shown)
    with pytest.raises(BusyError):
        node.inpaint(shown)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            DIES,
            ("The engine ended by signal 9 without a last word.", "go on from what was finished"),
        ),
        (SPEAKS_AND_LEAVES, ("The engine ended with code 7 without a last word.", "log says more")),
        (REFUSES, ("The matte is empty.", "Paint one.")),
    ],
)
def test_an_engine_that_fails_ends_in_a_line_and_a_remedy(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, script: str, said: tuple[str, str]
) -> None:
    """Killed, broken or refusing: the panel says what happened and what to do."""
    line, remedy = said
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, script))})
    status = until(node, ended)

    assert status.state is State.FAILED
    assert status.line == line
    assert remedy in status.remedy


def test_the_log_of_a_failure_is_in_the_details(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """What the engine or its libraries printed is kept, and its end is shown."""
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, SPEAKS_AND_LEAVES))})
    assert until(node, ended).details == ("torch said something",)


def test_a_run_works_again_after_a_failure(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """The next press makes a run of its own and forgets the last one's trouble."""
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, DIES))})
    until(node, ended)
    pressed(node, {"engine": str(make_engine(tmp_path, FINISH))})
    status = until(node, ended)

    assert (status.state, status.remedy, status.details) == (State.DONE, "", ())
    assert node.run is not None
    assert node.run.path.name == "0002"


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        ({"engine": "/nowhere/infusion-render"}, "There is no infusion-render at"),
        ({}, "The engine was not found"),
        ({"frames": "1010-1001"}, "Frame range: 1010-1001 runs backwards."),
        ({"frames": "ten"}, "Frame range: found 'ten'"),
        ({"frames": "990-1003", "engine": "E"}, "the plate has 1001-1003"),
        ({"seed": -1}, "Seed: found -1"),
    ],
)
def test_a_setting_that_cannot_be_ends_before_anything_is_written(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, shown: dict[str, object], line: str
) -> None:
    """Bad knobs and a missing engine are failed states with a remedy, and no run is begun."""
    if shown.get("engine") == "E":
        shown = {**shown, "engine": str(make_engine(tmp_path, FINISH))}
    node = node_of(host)
    status = pressed(node, shown)

    assert status.state is State.FAILED
    assert line in status.line
    assert status.remedy
    assert (host.written, node.run) == ([], None)


@pytest.mark.parametrize(
    ("trouble", "line"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (SetupError("The Blur has no input."), "The Blur has no input."),
        (RuntimeError("of the host's own"), "The host said: RuntimeError: of the host's own."),
    ],
)
def test_a_host_that_cannot_write_ends_in_a_failed_state(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, trouble: Exception, line: str
) -> None:
    """A full disk and a broken tree are told, and nothing half written stays."""
    host.trouble = trouble
    status = pressed(node_of(host), {"engine": str(make_engine(tmp_path, FINISH))})

    assert status.state is State.FAILED
    assert line in status.line
    assert [path for path in host.folder.rglob("*") if path.is_file()] == []


def test_a_node_without_a_plate_or_a_place_says_so(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Nothing connected, and a script that was never saved."""
    engine = str(make_engine(tmp_path, FINISH))
    host.plate = None
    assert "connected to the plate" in pressed(node_of(host), {"engine": engine}).line
    nowhere = node_of(NowhereHost(tmp_path / "work"))
    status = pressed(nowhere, {"engine": engine})
    assert (status.line, status.remedy) == ("The script was never saved.", "Save it first.")


def test_cancelling_stops_the_engine_and_keeps_what_is_finished(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """The cancel file reaches an engine that hears no signal; its own last word is shown."""
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, UNTIL_CANCELLED))})
    node.cancel()
    status = until(node, ended)

    assert status.state is State.CANCELLED
    assert status.line == "Cancelled; everything finished is kept."


def test_an_engine_that_does_not_stop_is_killed(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace nothing is waited for any more, and the process is gone."""
    monkeypatch.setattr(node_module, "GRACE_SECONDS", 0.1)
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, HEEDLESS))})
    pid = until(node, lambda status: status.fraction is not None).engine_pid
    node.cancel()

    assert until(node, ended).state is State.CANCELLED
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_cancelling_while_frames_are_written_stops_before_the_next(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """What was written is used by the next run, which writes the rest alone."""
    node = node_of(host)
    shown = {"engine": str(make_engine(tmp_path, FINISH))}
    steps = node.inpaint(shown)
    next(steps)
    next(steps)
    node.cancel()
    assert [status.state for status in steps][-1] is State.CANCELLED
    assert host.written == [("plate", 1001)]

    pressed(node, shown)
    assert host.written.count(("plate", 1001)) == 1
    assert len(host.written) == 6


def test_a_host_that_is_closed_while_frames_are_written_leaves_no_run(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """The iterator that nobody goes on with ends in a cancelled state."""
    node = node_of(host)
    steps = node.inpaint({"engine": str(make_engine(tmp_path, FINISH))})
    next(steps)
    del steps
    assert node.status.state is State.CANCELLED
    assert node.run is None


def test_an_interrupt_ends_in_a_cancelled_state(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Ctrl-C while the host writes goes on up, and the node does not stay at work for ever."""

    class Interrupted(CountingHost):
        def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
            raise KeyboardInterrupt

    node = node_of(Interrupted(host.folder))
    with pytest.raises(KeyboardInterrupt):
        pressed(node, {"engine": str(make_engine(tmp_path, FINISH))})
    assert node.status.state is State.CANCELLED


def test_cancelling_while_nothing_is_written_starts_no_engine(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Inputs that are files leave no frame to stop before; the engine is not started either."""
    nodes: list[InfusionNode] = []

    class Cancels(CountingHost):
        def workspace(self) -> Path:
            nodes[0].cancel()
            return super().workspace()

    files = Footage(1001, 1003, files="/shots/fire.%04d.exr")
    nodes.append(node_of(Cancels(host.folder, plate=files, matte=None)))
    status = pressed(nodes[0], {"engine": str(make_engine(tmp_path, FINISH))})
    assert status.state is State.CANCELLED
    assert not (host.folder / "runs").exists()


def test_a_silent_engine_is_given_up(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No heartbeat for long enough is a failure, and it is ended: it may hold the device."""
    monkeypatch.setattr(node_module, "LOST_SECONDS", 0.2)
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, "time.sleep(600)"))})
    status = until(node, ended)
    assert node.run is not None
    record = node.run.read_record()
    assert record is not None

    assert status.state is State.FAILED
    assert status.line.startswith("The engine was silent for")
    with pytest.raises(ProcessLookupError):
        os.kill(record.pid, 0)


def test_a_silent_engine_on_another_machine_is_left_alone(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks in from elsewhere does not end it; its next word is heard as ever."""
    monkeypatch.setattr(node_module, "LOST_SECONDS", 0.2)
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, "time.sleep(600)"))})
    run = node.run
    assert run is not None
    record = run.read_record()
    assert record is not None
    run.record.write_text(json.dumps({**asdict(record), "machine": "another"}))
    guest = node_of(host)
    guest.attach()
    status = until(guest, lambda status: "another" in status.line)
    assert status.state is State.RUNNING
    assert status.line.startswith("Not heard of for")
    assert not run.cancel.exists()
    os.kill(record.pid, 0)  # it still works
    for one in (node, guest):
        one.cancel()
        until(one, ended)


def test_a_follower_tells_each_change_once_and_ends(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """The thread hands over new statuses, the last of them the end."""
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, FINISH))})
    told: list[Status] = []
    threads: set[str] = set()

    def on_change(status: Status) -> None:
        told.append(status)
        threads.add(threading.current_thread().name)

    node.follow(on_change).join()
    assert told[-1].state is State.DONE
    assert all(a != b for a, b in pairwise(told))
    assert threads == {"infusion-follow"}
