"""Cancel: one signal ends a run within seconds, and all that was finished is kept."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, Run, ShotFiles

PROMISED_SECONDS = 5.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_while_fitting(
    exr_shot: Callable[..., ShotFiles],
    fresh: Callable[..., Run],
    render: Callable[..., Outcome],
    files: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
    *,
    number: signal.Signals,
) -> None:
    """Exit code 130 and a `failed` event in time, no frame, and the next run goes on from there."""
    shot = exr_shot(tmp_path)
    longer = ("--set", "steps_per_interval=60")
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *longer)
    run = fresh(*command)
    run.until_told("interval", index=0, outcome="fitted")
    weights = {
        n: c for n, c in files(tmp_path / "cache").items() if n.endswith("weights.safetensors")
    }
    asked = time.monotonic()
    run.send(number)
    outcome = run.outcome()

    assert time.monotonic() - asked < PROMISED_SECONDS
    assert outcome.code == 130
    assert "Traceback" not in outcome.message
    last = outcome.events[-1]
    assert (last["event"], last["code"], last["exit_code"]) == ("failed", "cancelled", 130)
    assert files(tmp_path / "out") == {}
    kept = outcome.fitted
    assert kept in ([0], [0, 1])
    assert weights.items() <= files(tmp_path / "cache").items()

    again = render(*command)

    assert (again.code, again.hits) == (0, kept), again.message
    assert sorted(again.hits + again.fitted) == [0, 1, 2]


def test_a_signal_while_writing(
    exr_shot: Callable[..., ShotFiles],
    fresh: Callable[..., Run],
    render: Callable[..., Outcome],
    files: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    """Every frame that is there is whole, and nothing else lies in the output."""
    shot = exr_shot(tmp_path, frames=range(1001, 1041))
    command = shot.arguments(tmp_path / "out", tmp_path / "cache")
    run = fresh(*command)
    run.until_told("frame", frame=1003)
    run.send(signal.SIGTERM)
    outcome = run.outcome()
    assert outcome.code == 130
    stopped = files(tmp_path / "out")
    assert 3 <= len(stopped) < 40
    # Every frame that was told of is kept, the one that was finished last included.
    assert stopped.keys() == {f"fire.{frame}.exr" for frame in outcome.all("frame", "frame")}

    again = render(*command)

    assert (again.code, again.fitted) == (0, [])
    assert stopped.items() <= files(tmp_path / "out").items()
