"""Faults of a farm: killed, doubled, damaged, without locks, without room, with wrong clocks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles, Zygote

ReadFiles = Callable[[Path], dict[str, bytes]]
SETTINGS = ("--set", "fits_start=scratch", "--set", "steps_per_interval=12")
TASKS = (
    *(("fit", "--interval", k) for k in ("3", "1", "2")),
    ("sample", "--take", "1"),
    ("write",),
)
"""All tasks after `prepare`, in an order in which they can be done."""
DAY = 86_400.0


@dataclass(frozen=True)
class Reference:
    """A shot, and what undisturbed stages make of it."""

    shot: ShotFiles
    """The plate and the matte."""
    output: dict[str, bytes]
    """The frames, by name."""
    weights: dict[str, bytes]
    """The fits, by key."""


@dataclass(frozen=True)
class Farm:
    """The same job on a cache of its own, prepared."""

    command: tuple[str, ...]
    """The command line, but for the stage."""
    cache: Path
    """The cache that its workers share."""
    output: Path
    """Where frames go."""
    zygote: Zygote
    """Starts workers."""

    def run(self, *stage: str, flushes: int | None = None) -> Outcome:
        """One task, to its end."""
        return self.zygote.start(*self.command, "--stage", *stage, flushes=flushes).outcome()

    def run_all(self) -> list[Outcome]:
        """All tasks, in turn."""
        told = [self.run(*stage) for stage in TASKS]
        assert [one.code for one in told] == [0] * len(told), [one.message for one in told]
        return told

    def check(self, reference: Reference, files: ReadFiles) -> None:
        """Nothing is damaged or left over, and fits and frames are those of undisturbed stages."""
        line = [sys.executable, "-m", "infusion_engine.cli.cache", "verify"]
        line += ["--cache", str(self.cache)]
        assert subprocess.run(line, capture_output=True, check=False).returncode == 0
        assert weights(self.cache) == reference.weights
        assert files(self.output) == reference.output


def weights(cache: Path) -> dict[str, bytes]:
    """The fitted weights by key."""
    return {p.parent.name: p.read_bytes() for p in cache.glob("fits/[0-9a-f]*/weights.safetensors")}


def farm(shot: ShotFiles, folder: Path, zygote: Zygote) -> Farm:
    """A prepared job in a folder."""
    command = shot.arguments(folder / "out", folder / "cache", *SETTINGS)
    found = Farm(command, folder / "cache", folder / "out", zygote)
    outcome = found.run("prepare")
    assert outcome.code == 0, outcome.message
    return found


@pytest.fixture(scope="module")
def reference(
    tmp_path_factory: pytest.TempPathFactory,
    exr_shot: Callable[..., ShotFiles],
    zygote: Zygote,
    files: ReadFiles,
) -> Reference:
    """Every stage once, with nothing in its way."""
    folder = tmp_path_factory.mktemp("reference")
    shot = exr_shot(folder)
    farm(shot, folder, zygote).run_all()
    return Reference(shot, files(folder / "out"), weights(folder / "cache"))


@pytest.fixture
def workers(reference: Reference, zygote: Zygote, tmp_path: Path) -> Farm:
    """The same job on a cache of its own, prepared."""
    return farm(reference.shot, tmp_path, zygote)


@pytest.mark.parametrize("count", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_fit_that_is_killed_is_tried_again(
    count: int, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """Killed with -9 at random moments and started again: the frames of an undisturbed farm."""
    fit = (*workers.command, "--stage", *TASKS[0])
    moments = random.Random(count)
    began = time.monotonic()
    first = workers.zygote.start(*fit)
    first.until_told("progress", phase="inpainting")
    first.killed()
    least = time.monotonic() - began
    for _ in range(count - 1):
        run = workers.zygote.start(*fit)
        time.sleep(moments.uniform(0.0, 1.5) * least)
        os.kill(run.pid, signal.SIGKILL)
        assert run.outcome().code in {0, -signal.SIGKILL}
    workers.run_all()
    workers.check(reference, files)


@pytest.mark.parametrize("flush", [0, 2])
def test_a_fit_that_is_killed_while_it_is_saved(
    flush: int, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """At its first flush, or amid the entry's: the next try makes it whole."""
    assert workers.run(*TASKS[0], flushes=flush).code == -signal.SIGKILL
    found = weights(workers.cache)
    assert found.items() <= reference.weights.items()
    workers.run_all()
    workers.check(reference, files)


def test_a_stage_that_is_asked_to_stop(
    reference: Reference, zygote: Zygote, tmp_path: Path
) -> None:
    """SIGTERM: 130, nothing half written; a fit in the making is lost, a finished sample is not."""
    command = reference.shot.arguments(
        *(tmp_path / "out", tmp_path / "cache", *SETTINGS),
        *("--set", "sampling_steps=150", "--set", "steps_per_interval=200"),
    )
    workers = Farm(command, tmp_path / "cache", tmp_path / "out", zygote)
    assert workers.run("prepare").code == 0

    def stopped(*stage: str, once: Callable[[], bool]) -> None:
        run = zygote.start(*command, "--stage", *stage)
        run.until_told("progress", phase="inpainting")
        run.until(once)
        run.send(signal.SIGTERM)
        outcome = run.outcome()
        assert outcome.code == 130, outcome.message
        assert outcome.events[-1]["code"] == "cancelled"
        assert not list(workers.cache.glob("*/.tmp-*"))

    stopped("fit", "--interval", "1", once=lambda: True)
    assert weights(workers.cache) == {}
    for k in ("1", "2", "3"):
        assert workers.run("fit", "--interval", k).fitted == [int(k) - 1]
    samples = workers.cache / "samples"
    stopped("sample", "--take", "1", once=lambda: any(samples.glob("[0-9a-f]*/record.json")))
    kept = [path.parent for path in samples.glob("[0-9a-f]*/record.json")]
    assert len(kept) == 1
    again = workers.run("sample", "--take", "1")
    assert again.code == 0
    worked = [event for event in again.events if event["event"] == "progress"]
    at = [event["figures"]["interval"] for event in worked if event["phase"] == "inpainting"]
    assert at[0] == 1  # the first, 0, is gone on from


@pytest.mark.parametrize(
    "locks", [pytest.param("locks that hold", marks=pytest.mark.slow), "no locks"]
)
def test_the_same_tasks_by_two_workers_at_once(
    locks: str, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """Every stage run twice at the same time, with and without locks: one valid entry of each."""
    if locks == "no locks":
        without_locks(workers.cache)
    for stage in TASKS:
        runs = [workers.zygote.start(*workers.command, "--stage", *stage) for _ in range(2)]
        told = [run.outcome() for run in runs]
        assert [one.code for one in told] == [0, 0], [one.message for one in told]
    workers.check(reference, files)
    assert not list(workers.cache.glob("*/.tmp-*"))


def without_locks(cache: Path) -> None:
    """Make every lock of a cache fail, as on a share without them: nothing is made in /sys."""
    place = Path("/sys/kernel")
    if not place.is_dir():
        pytest.skip("needs a filesystem that refuses to make files, as Linux has it in /sys")
    locks = cache / "locks"
    for path in locks.iterdir():
        path.unlink()
    locks.rmdir()
    locks.symlink_to(place, target_is_directory=True)


def test_a_lock_that_cannot_be_had_is_said_once(workers: Farm) -> None:
    """One warning for a whole run, which takes many locks and goes on without."""
    without_locks(workers.cache)
    outcome = workers.run("all")
    assert (outcome.code, outcome.fitted) == (0, [0, 1, 2]), outcome.message
    assert outcome.warnings.count("cannot be locked") == 1


@pytest.mark.parametrize("kept", ["truncated", "half a folder", "nothing in it"])
def test_a_half_copied_entry_is_never_read(
    kept: str, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """What was put in by hand and is not whole is said, taken away, and fitted again."""
    key, whole = min(reference.weights.items())
    folder = workers.cache / "fits" / key
    folder.mkdir()
    if kept != "nothing in it":
        (folder / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    if kept == "truncated":
        (folder / "record.json").write_text('{"schema_version": 9}')
    told = workers.run_all()
    assert "damaged" in "".join(one.warnings for one in told)
    workers.check(reference, files)


@pytest.mark.parametrize("days", [1, -1], ids=["ahead", "behind"])
def test_a_worker_whose_clock_is_a_day_off(
    days: int, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """What it left has times of another day, its locks too: all of it is found and gone on from."""
    shifted = time.time() + days * DAY

    def shift() -> None:
        for path in workers.cache.rglob("*"):
            os.utime(path, (shifted, shifted))

    for stage in TASKS:
        shift()
        outcome = workers.run(*stage)
        assert outcome.code == 0, outcome.message
    shift()
    again = [workers.run(*stage) for stage in TASKS[:3]]
    assert [one.fitted for one in again] == [[], [], []]
    workers.check(reference, files)
