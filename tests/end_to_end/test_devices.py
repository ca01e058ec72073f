"""Several devices: intervals fitted at once by a process for each, to the bits of one device."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, Run, ShotFiles, Zygote

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]


def weights(cache: Path) -> dict[str, bytes]:
    """The fitted weights by key."""
    return {p.parent.name: p.read_bytes() for p in cache.glob("fits/[0-9a-f]*/weights.safetensors")}


def test_two_devices_give_the_bits_of_one(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """Fits from a base, two takes: the same fits and the same frames, and the log tells of each."""
    shot = exr_shot(tmp_path)
    more = ("--set", "fits_start=base", "--takes", "2", "--log-file", str(tmp_path / "log.txt"))
    one = render(*shot.arguments(tmp_path / "one", tmp_path / "c1", *more))
    two = render(*shot.arguments(tmp_path / "two", tmp_path / "c2", *more, "--device", "cpu,cpu"))

    assert (one.code, two.code) == (0, 0), two.message
    assert weights(tmp_path / "c1") == weights(tmp_path / "c2") != {}
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert sorted(two.fitted) == [0, 1, 2]
    log = (tmp_path / "log.txt").read_text()
    assert log.count("Interval 3/3 fitted") == 2
    assert "\x1b" not in log


@pytest.mark.slow
def test_the_report_is_made_and_nothing_is_said_of_stages(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Several devices are no stages to a user: the page is written, without a warning."""
    shot = exr_shot(tmp_path)
    more = ("--set", "fits_start=scratch", "--device", "cpu,cpu", "--report", str(tmp_path / "r"))
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *more))
    assert outcome.code == 0, outcome.message
    assert "--stage" not in outcome.warnings
    assert "report" not in outcome.warnings
    assert (tmp_path / "r/index.html").is_file()


def test_several_devices_need_a_cache(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """They hand on through it: without one it is the devices that are refused, and no stage."""
    shot = exr_shot(tmp_path)
    command = list(shot.arguments(tmp_path / "out", tmp_path / "cache"))
    place = command.index("--cache")
    command[place : place + 2] = ["--no-cache", "--set", "fits_start=scratch"]
    outcome = render(*command, "--device", "cpu,cpu")
    assert (outcome.code, outcome.events[-1]["code"]) == (2, "usage")
    assert "several devices" in outcome.events[-1]["message"]
    assert "--stage" not in outcome.events[-1]["message"]
    assert list((tmp_path / "out").iterdir()) == []


def test_devices_of_several_kinds_are_refused(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """They would name fits differently: a usage error, before any work."""
    shot = exr_shot(tmp_path)
    more = ("--set", "fits_start=scratch", "--device", "cpu,cuda:0")
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *more))
    assert (outcome.code, outcome.events[-1]["code"]) == (2, "usage")
    assert "several kinds" in outcome.message
    assert not outcome.phases & {"looking", "reading"}


def test_a_chain_stays_on_the_first_device(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """A warning says which setting would allow it, and nothing else changes."""
    shot = exr_shot(tmp_path)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", "--device", "cpu,cpu"))
    assert (outcome.code, outcome.fitted) == (0, [0, 1, 2])
    assert "fits_start=previous" in outcome.warnings
    assert "fits_start=base or scratch" in "".join(outcome.all("warning", "remedy"))


def two_long_fits(shot: ShotFiles, zygote: Zygote, folder: Path) -> tuple[Run, list[int]]:
    """A run, and the processes of two fits that it has begun and that would take hours."""
    slow = ("--set", "fits_start=scratch", "--set", "steps_per_interval=100000")
    command = shot.arguments(folder / "out", folder / "cache", *slow, "--device", "cpu,cpu")
    run = zygote.start(*command)
    locks = folder / "cache/locks"
    run.until(lambda: len(children(run.pid)) == 2 and len(list(locks.glob("*.lock"))) >= 2)
    return run, children(run.pid)


def test_a_stop_ends_every_process(
    exr_shot: Callable[..., ShotFiles], zygote: Zygote, tmp_path: Path
) -> None:
    """SIGTERM while two fits go on: exit code 130, and neither is left running."""
    run, pids = two_long_fits(exr_shot(tmp_path), zygote, tmp_path)
    run.send(signal.SIGTERM)
    assert run.outcome().code == 130
    assert [pid for pid in pids if state(pid) not in {"", "Z"}] == []


@pytest.mark.slow
def test_what_the_processes_find_and_wait_for_is_told(
    exr_shot: Callable[..., ShotFiles], zygote: Zygote, files: ReadFiles, tmp_path: Path
) -> None:
    """Two runs of one job at once: each fit is told as fitted by one alone, and waiting is told."""
    shot = exr_shot(tmp_path)
    more = ("--set", "fits_start=scratch", "--set", "steps_per_interval=400")
    runs = [
        zygote.start(
            *shot.arguments(tmp_path / name, tmp_path / "cache", *more, "--device", "cpu,cpu")
        )
        for name in ("one", "two")
    ]
    told = [run.outcome() for run in runs]
    assert [one.code for one in told] == [0, 0], [one.message for one in told]
    assert sorted(told[0].fitted + told[1].fitted) == [0, 1, 2]
    waited = [text for one in told for text in one.all("waiting", "waiting_for")]
    assert any("(on cpu)" in text for text in waited), waited
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.slow
def test_a_damaged_fit_is_made_again_by_a_device(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """A file that is there and cut short is no fit: it is said, and a process makes it anew."""
    shot = exr_shot(tmp_path)
    scratch = ("--set", "fits_start=scratch")
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *scratch, "--device", "cpu,cpu")
    assert render(*command).code == 0
    before = weights(tmp_path / "cache")
    path = min(tmp_path.glob("cache/fits/*/weights.safetensors"))
    os.truncate(path, path.stat().st_size // 2)
    for path in tmp_path.glob("cache/samples/*"):
        shutil.rmtree(path)
    again = render(*command)
    assert again.code == 0, again.message
    assert "damaged" in again.warnings
    assert "fitting" in again.phases
    assert len(again.fitted) == 1
    assert weights(tmp_path / "cache") == before


def test_processes_end_with_the_one_that_started_them(
    exr_shot: Callable[..., ShotFiles], zygote: Zygote, tmp_path: Path
) -> None:
    """Killed with -9 it can ask nobody to stop: they notice, and leave the devices free."""
    run, pids = two_long_fits(exr_shot(tmp_path), zygote, tmp_path)
    run.killed()
    deadline = time.monotonic() + 15.0
    try:
        while alive := [pid for pid in pids if state(pid) not in {"", "Z"}]:
            assert time.monotonic() < deadline, "they went on"
            time.sleep(0.1)
    finally:
        for pid in alive:
            os.kill(pid, signal.SIGKILL)


def stat(pid: int) -> list[str]:
    """State, parent and more of a process as /proc tells them; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [""]


def state(pid: int) -> str:
    """One letter: Z for a process that has ended and was not yet asked how; empty for none."""
    return stat(pid)[0]


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to tell a process's children")
    there = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [one for one in there if stat(one)[1:2] == [str(pid)] and state(one) != "Z"]


def test_what_one_process_fails_with_is_the_run_s_own(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """A fit that diverges on one of two devices: its own exit code, and which device it was."""
    shot = exr_shot(tmp_path)
    wild = ("--set", "fits_start=scratch", "--set", "learning_rate=1e30")
    outcome = render(
        *shot.arguments(tmp_path / "out", tmp_path / "cache", *wild, "--device", "cpu,cpu")
    )
    assert (outcome.code, outcome.events[-1]["code"]) == (2, "fit")
    assert outcome.events[-1]["message"].startswith("On cpu: The fit of timesteps")
    assert list((tmp_path / "out").iterdir()) == []
