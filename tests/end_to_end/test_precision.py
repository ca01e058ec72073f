"""Precision: decided by the device, told, kept in every name, and overruled by who asks for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from infusion_engine.arithmetic import has_bfloat16

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

OWN, OTHER = ("bf16", "fp32") if has_bfloat16(torch.device("cpu")) else ("fp32", "bf16")


def precisions(outcome: Outcome) -> list[str]:
    """What each plan that was told says of it."""
    assert outcome.code == 0, outcome.message
    return [plan["method"]["precision"] for plan in outcome.all("resolved", "plan")]


def test_the_device_decides_unless_it_is_told(
    exr_shot: Callable[..., ShotFiles], render: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Its own by name is the same fits; the other one is others, and is computed as asked."""
    shot = exr_shot(tmp_path)

    def rendered(*more: str) -> Outcome:
        return render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *more))

    left_open = rendered("--report", str(tmp_path / "report"))
    assert precisions(left_open) == ["auto", OWN]
    assert left_open.hits == []
    assert f"<td>{OWN}</td>" in (tmp_path / "report" / "index.html").read_text("utf-8")

    named = rendered("--set", f"precision={OWN}")
    assert precisions(named) == [OWN]
    assert named.fitted == []

    other = rendered("--set", f"precision={OTHER}")
    assert precisions(other) == [OTHER]
    assert other.hits == []
