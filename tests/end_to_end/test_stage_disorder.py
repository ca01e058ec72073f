"""Disorder on a farm: any stage killed, any order, clocks apart, files cut short; same frames."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.test_stage_faults import DAY, TASKS, Farm, reference, weights, workers

if TYPE_CHECKING:
    from tests.end_to_end.test_stage_faults import ReadFiles, Reference

__all__ = ["reference", "workers"]  # fixtures

EVERY = (("prepare",), *TASKS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_any_task_is_killed_and_tried_again(
    seed: int, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """Each task of every stage, killed with -9 at a random moment, then given again."""
    moments = random.Random(seed)
    for stage in EVERY:
        run = workers.zygote.start(*workers.command, "--stage", *stage)
        time.sleep(moments.uniform(0.0, 1.2))
        os.kill(run.pid, signal.SIGKILL)
        assert run.outcome().code in {0, -signal.SIGKILL}
        assert workers.run(*stage).code == 0
    for left in workers.output.glob(".*.part.exr"):  # a killed writer's, which is swept in an hour
        left.unlink()
    workers.check(reference, files)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_tasks_in_a_shuffled_order(
    seed: int, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """Given in any order, and again where something was missing: code 5 until that is there."""
    order, left, codes = random.Random(seed), list(TASKS), set[int]()
    while left:
        order.shuffle(left)
        for stage in tuple(left):
            outcome = workers.run(*stage)
            codes.add(outcome.code)
            if outcome.code == 0:
                left.remove(stage)
            else:
                assert "--stage" in outcome.events[-1]["remedy"]
    assert codes <= {0, 5}
    workers.check(reference, files)


def test_weights_that_were_cut_short_amid_a_farm_s_run(
    reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """Both files are there and the larger one ends too early: the sample names what is missing."""
    for stage in TASKS[:3]:
        assert workers.run(*stage).code == 0
    key = min(weights(workers.cache))
    path = workers.cache / "fits" / key / "weights.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    outcome = workers.run("sample", "--take", "1")
    assert outcome.code == 5
    assert "damaged" in outcome.warnings
    assert "--stage fit --interval" in outcome.events[-1]["remedy"]
    workers.run_all()
    workers.check(reference, files)


@pytest.mark.parametrize("days", [1, -1], ids=["ahead", "behind"])
def test_two_workers_whose_clocks_are_days_apart(
    days: int, reference: Reference, workers: Farm, files: ReadFiles
) -> None:
    """While both do each task at once, one's files and locks get times of another day."""
    for stage in TASKS:
        runs = [workers.zygote.start(*workers.command, "--stage", *stage) for _ in range(2)]
        shifted = time.time() + days * DAY
        for pattern in ("locks/*.lock", "shots/*.json", "*/*/record.json"):
            for path in workers.cache.glob(pattern):
                _stamp(path, shifted)
        told = [run.outcome() for run in runs]
        assert [one.code for one in told] == [0, 0], [one.message for one in told]
    workers.check(reference, files)
    assert not list(workers.cache.glob("*/.tmp-*"))


OTHER_CLOCK = """
import datetime, time
real, days = time.time, {days}
time.time = lambda: real() + days * 86400.0
time.time_ns = lambda: int(time.time() * 1e9)
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Shifted
"""
"""A `sitecustomize` that puts a process's clock off, and leaves the disk's as it is."""


@pytest.mark.slow
@pytest.mark.parametrize("days", [1, -1], ids=["ahead", "behind"])
def test_a_process_whose_own_clock_is_a_day_off(
    days: int, reference: Reference, workers: Farm, files: ReadFiles, tmp_path: Path
) -> None:
    """It does every task at once with another whose clock is right: one file server stamps both."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(OTHER_CLOCK.format(days=days))
    path = {"PYTHONPATH": str(tmp_path / "clock")}
    engine = [sys.executable, "-m", "infusion_engine.cli.render", *workers.command]
    for stage in TASKS:
        off = subprocess.Popen(
            [*engine, "--stage", *stage, "--events", "json"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **path, "OCIO": "", "XDG_CACHE_HOME": str(tmp_path / "user-cache")},
        )
        right = workers.run(*stage)
        said, _ = off.communicate(timeout=120)
        assert (off.returncode, right.code) == (0, 0), said
        apart = json.loads(said.splitlines()[0])["time"] - time.time()
        assert apart == pytest.approx(days * DAY, abs=120)  # else this proves nothing
    workers.check(reference, files)
    assert not list(workers.cache.glob("*/.tmp-*"))


def _stamp(path: Path, seconds: float) -> None:
    """Give a file another time, unless it went meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(path, (seconds, seconds))
