"""One render at a time on a device: real processes, one of which has it and is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from infusion_engine.errors import Cancelled
from infusion_engine.progress import Report, StopRequest
from infusion_engine.turn import turn
from infusion_node.wire.events import Event, Waiting
from tests.told import Told

CPU = torch.device("cpu")
HOLDER = """
import sys, time
from pathlib import Path
import torch
from infusion_engine.progress import Report
from infusion_engine.turn import turn
with turn(torch.device("cpu"), Report(), shares=False, folder=Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(600)
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has its turn."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.communicate()


def test_a_render_waits_for_its_turn_and_says_so(tmp_path: Path) -> None:
    """It goes on when the other one is gone, however that ended, and knows how long it waited."""
    with holder(tmp_path) as other:

        class Ends(Told):
            def write(self, event: Event, *, time: float) -> None:
                super().write(event, time=time)
                other.kill()

        told = Ends()
        report = Report(told)
        with turn(CPU, report, shares=False, folder=tmp_path):
            assert other.wait() < 0

    assert told.events == [Waiting("the CPU: another render is using it")]
    assert 0 < report.waited <= report.seconds


def test_a_render_that_shares_waits_for_nobody(tmp_path: Path) -> None:
    """With its own number of threads it computes beside the other."""
    told = Told()
    with holder(tmp_path), turn(CPU, Report(told), shares=True, folder=tmp_path):
        assert told.events == []


def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    """A stop is heard while nothing is done."""
    stop = StopRequest()

    class Stops(Told):
        def write(self, event: Event, *, time: float) -> None:
            stop.ask("the test")

    with (
        holder(tmp_path),
        pytest.raises(Cancelled),
        turn(CPU, Report(Stops(), stop=stop), shares=False, folder=tmp_path),
    ):
        pytest.fail("it was not its turn")


def test_a_turn_is_over_when_the_block_is_left(tmp_path: Path) -> None:
    """One after the other in one process, without a wait."""
    told = Told()
    for _ in range(2):
        with turn(CPU, Report(told), shares=False, folder=tmp_path):
            pass
    assert told.events == []


def test_a_folder_that_cannot_lock_stops_nobody(tmp_path: Path) -> None:
    """A lock only saves trouble: where there is none, renders share."""
    (tmp_path / "file").touch()
    with turn(CPU, Report(), shares=False, folder=tmp_path / "file"):
        pass
