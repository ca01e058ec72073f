"""Needs: what a machine must have for a task of a job, so that a scheduler sends it no other."""

from __future__ import annotations

from dataclasses import dataclass

from infusion_engine.farm.division import Division
from infusion_engine.plan import Plan
from infusion_engine.stage import RenderStage

_MIB = 2**20
_ENGINE_BYTES = 2 * 2**30
"""Interpreter, torch and the frame at hand: 0.7 GiB in all was seen in a small render
(benchmarks/results/memory.json), and a CUDA context takes its own."""
_SHOT_BYTES = 130
"""Held for each pixel around the matte in each frame, as far as half of `--memory` goes: what is
more lies on disk, but for a GPU's (docs/decisions/clips-on-disk.md)."""


@dataclass(frozen=True)
class Needs:
    """What one task takes of its machine."""

    gpus: int
    """1 where the job's device is a GPU."""
    gpu_memory: int
    """MiB of its memory; 0 where none is needed."""
    memory: int
    """MiB of the machine's own memory."""
    cores: int | None
    """CPU cores, where the job says how many threads it computes with."""


def needs_of(plan: Plan, division: Division, stage: RenderStage) -> Needs:
    """What a task needs, by the job's own `device`, `memory` and `threads`.

    A job whose device is `auto` asks for no GPU: its tasks use one where there is one. Where the
    device is named, what prepares needs it as fits do: it measures there by what fits are called,
    and another device's rounding may give another name.

    Args:
        plan: of the job.
        division: how large what it works on is.
        stage: what of a render it does.
    """
    prepares = stage is RenderStage.PREPARE
    computes = plan.job.minutes is not None if prepares else stage is not RenderStage.WRITE
    gpus = 1 if plan.job.device.startswith("cuda") and stage is not RenderStage.WRITE else 0
    network = _mib(plan.memory) if computes or gpus else 0
    box = None if division.layout is None else division.layout.region.box
    pixels = 0 if box is None else box.width * box.height * division.frames_read
    shot = _SHOT_BYTES * pixels
    held = shot if gpus else min(shot, plan.memory // 2)
    return Needs(
        gpus=gpus,
        gpu_memory=network if gpus else 0,
        memory=_mib(_ENGINE_BYTES + held) + (0 if gpus else network),
        cores=plan.job.threads,
    )


def _mib(size: int) -> int:
    return -(-size // _MIB)
