"""Results of several runs: the last finished one stays whole, older ones go, mixtures are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infusion_node.node import InfusionNode
from infusion_node.status import State
from tests.node.stand_ins import (
    DIES,
    FINISH,
    UNTIL_CANCELLED,
    CountingHost,
    ended,
    make_engine,
    pressed,
    until,
)

NodeOf = Callable[[CountingHost], InfusionNode]

WRITES = """
result = os.path.join(job["output"], "plate.%04d.exr")
say("resolved", plan=dict(
    plate=dict(frames="1001-1003"), output=dict(files=result, write="layer", layer="infusion")))
os.makedirs(job["output"], exist_ok=True)
for frame in {frames}:
    open(result % frame, "w").write(os.path.basename(folder))
    say("frame", frame=frame, path=result % frame)
"""
"""A script that writes frames, each of which says whose it is."""

WHOLE = WRITES.format(frames=(1001, 1002, 1003)) + FINISH
CUT_SHORT = WRITES.format(frames=(1001, 1003)) + UNTIL_CANCELLED
KILLED = WRITES.format(frames=(1001,)) + DIES


def _results(host: CountingHost) -> dict[str, list[str]]:
    """Whose the frames are, by the run's folder that they lie in."""
    return {
        folder.parent.name: [path.read_text() for path in sorted(folder.iterdir())]
        for folder in sorted(host.folder.glob("runs/*/result"))
    }


def test_a_run_that_ends_early_leaves_the_last_result_whole(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """What was cancelled, and what was killed, does not mix with the frames that are shown."""
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, WHOLE))})
    assert until(node, ended).state is State.DONE
    pressed(node, {"engine": str(make_engine(tmp_path, CUT_SHORT))})
    until(node, lambda status: len(status.written) == 2)
    node.cancel()
    assert until(node, ended).state is State.CANCELLED
    assert node.status.warnings == ()
    assert _results(host) == {"0001": ["0001"] * 3, "0002": ["0002"] * 2}
    pressed(node, {"engine": str(make_engine(tmp_path, KILLED))})
    assert until(node, ended).state is State.FAILED
    assert _results(host) == {"0001": ["0001"] * 3, "0003": ["0003"]}


def test_the_last_two_finished_results_are_kept(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Older ones go when a run begins; its job, log and report stay."""
    node, shown = node_of(host), {"engine": str(make_engine(tmp_path, WHOLE))}
    for _ in range(4):
        pressed(node, shown)
        until(node, ended)
    assert list(_results(host)) == ["0002", "0003", "0004"]
    assert (host.folder / "runs/0001/job.json").is_file()


def test_no_second_engine_works_in_one_folder(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Another window or a terminal may be at work: its frames and inputs are left alone."""
    first, second = node_of(host), node_of(CountingHost(host.folder))
    pressed(first, {"engine": str(make_engine(tmp_path, CUT_SHORT))})
    pid = until(first, lambda status: len(status.written) == 2).engine_pid
    shown = {"engine": str(make_engine(tmp_path / "other", WHOLE))}
    status = pressed(second, shown)
    run = host.folder / "runs/0001"
    assert (status.state, status.line) == (
        State.FAILED, f"An engine works on this node already: process {pid}, '{run}'.",
    )  # fmt: skip
    assert _results(host) == {"0001": ["0001"] * 2}
    first.cancel()
    until(first, ended)
    pressed(second, shown)
    assert until(second, ended).state is State.DONE


def test_frames_of_another_machines_run_are_not_removed(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Nobody here can tell whether it goes on; nor does it keep anybody from working."""
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, KILLED))})
    until(node, ended)
    assert node.run is not None
    record = json.loads(node.run.record.read_text())
    node.run.record.write_text(json.dumps({**record, "machine": "another"}))
    pressed(node, {"engine": str(make_engine(tmp_path, WHOLE))})
    until(node, ended)
    assert _results(host) == {"0001": ["0001"], "0002": ["0002"] * 3}


@pytest.mark.parametrize("ends_by", ["cancel", "kill"])
def test_an_artists_own_folder_that_was_written_in_part_is_told(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, ends_by: str
) -> None:
    """There frames replace those of before one by one: the warning says which are the run's own."""
    own = tmp_path / "comp"
    node = node_of(host)
    script = CUT_SHORT if ends_by == "cancel" else KILLED
    pressed(node, {"engine": str(make_engine(tmp_path, script)), "output": str(own)})
    if ends_by == "cancel":
        until(node, lambda status: len(status.written) == 2)
        node.cancel()
    (warning,) = until(node, ended).warnings
    frames = "1001, 1003" if ends_by == "cancel" else "1001"
    assert warning == (
        f"Frames {frames} in '{own}' are this run's; all others there are as they were before it. "
        "Press Inpaint to write the rest."
    )


def test_an_artists_own_folder_that_was_written_whole_needs_no_warning(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """A run that fails after its last frame has mixed nothing."""
    script = WRITES.format(frames=(1001, 1002, 1003)) + DIES
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, script)), "output": str(tmp_path / "comp")})
    assert until(node, ended).state is State.FAILED
    assert node.status.warnings == ()
