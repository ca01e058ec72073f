"""Precision: decided by the device, told, kept in every name, and overruled by who asks for one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
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


BROKEN = """
import torch
from torch.nn import functional
right = functional.conv3d
def wrong(*given, **named):
    found = right(*given, **named)
    return found * 1.1 if torch.is_autocast_enabled("cpu") else found
functional.conv3d = wrong
torch.cpu.get_capabilities = lambda: {"avx512_bf16": True}
from infusion_engine.cli.render import main
main(prog_name="infusion-render")
"""
"""The command on a processor that says it has bfloat16, and computes a tenth too much in it."""


@pytest.mark.parametrize("stage", [(), ("--stage", "prepare")], ids=["whole", "prepare"])
def test_where_bfloat16_is_wrong_auto_is_float32_and_the_user_is_told(
    exr_shot: Callable[..., ShotFiles], tmp_path: Path, stage: tuple[str, ...]
) -> None:
    """A fit from wrong convolutions would look like any other."""
    shot = exr_shot(tmp_path)
    arguments = shot.arguments(tmp_path / "out", tmp_path / "cache", *stage)

    done = subprocess.run(
        [sys.executable, "-c", BROKEN, *arguments, "--events", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr
    decided = [one["plan"]["method"]["precision"] for one in told if one["event"] == "resolved"]
    assert decided[-1] == "fp32"
    warnings = [one["message"] for one in told if one["event"] == "warning"]
    assert any("bfloat16 is wrong on cpu" in one for one in warnings)
