"""A prepared job is found by those that would have decided as it did, and by no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infusion_engine.plan import prepare
from infusion_engine.prepared import job_identity
from tests.farm.conftest import TINY, make_shot, shot

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

__all__ = ["make_shot", "shot"]  # fixtures

AUTO = {**TINY, "precision": "auto"}
TIMED = {name: value for name, value in TINY.items() if "steps" not in name}


def key(shot: Shot, **changes: Any) -> str:
    """What the prepared job is called."""
    return job_identity(prepare(shot.job(**changes))).key


@pytest.mark.parametrize("left", [{"settings": AUTO}, {"settings": TIMED, "minutes": 3.0}])
def test_what_one_kind_of_device_decided_is_not_another_s(shot: Shot, left: dict[str, Any]) -> None:
    """Precision or steps that a CPU came to are not taken by a job that names a GPU."""
    kinds = [key(shot, device=device, **left) for device in ("cpu", "cuda", "auto")]
    assert len(set(kinds)) == 3
    for device in ("cuda:0", "cuda:1", "cuda:0,cuda:1"):
        assert key(shot, device=device, **left) == kinds[1]


def test_where_nothing_is_left_open_no_device_is_asked(shot: Shot) -> None:
    """A clip prepared on a CPU does for every machine: the job says all that it computes with."""
    assert key(shot, device="cpu") == key(shot, device="cuda") == key(shot, device="auto")


@pytest.mark.parametrize("settings", [TINY, AUTO])
def test_tasks_may_have_other_threads_and_memory(shot: Shot, settings: dict[str, str]) -> None:
    """They are the machine's own, and so are folders."""
    one = key(shot, settings=settings, threads=1, memory="2G")
    assert one == key(shot, settings=settings, threads=8, memory="16G", cache="/elsewhere")
