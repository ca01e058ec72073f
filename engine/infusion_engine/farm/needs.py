"""Needs: what a machine must have for a task of a job, so that a scheduler sends it no other."""

from __future__ import annotations

from dataclasses import dataclass

from infusion_engine.clip_sizes import (
    CLIP_BYTES,
    WORKING_BYTES,
    held_bytes,
    too_large,
    voxels_of,
)
from infusion_engine.devices import kind_of
from infusion_engine.farm.division import Division
from infusion_engine.plan import Plan
from infusion_engine.stage import RenderStage

_MIB = 2**20
_ENGINE_BYTES = 2 * 2**30
"""Interpreter, torch and the frame at hand: 0.7 GiB in all was seen in a small render
(benchmarks/results/memory.json), and a CUDA context takes its own."""
_LEAST_TILE_BYTES = 2**29
"""For the smallest pieces that a GPU's clip is cut into, where `--memory` leaves less: 24 frames of
116x116 with `standard`, which take 300 MB."""
_WRITTEN_BYTES = 24
"""Held for each voxel of a take while frames are written: its sample, and the clip it fills."""


@dataclass(frozen=True)
class Needs:
    """What one task takes of its machine."""

    gpus: int
    """1 where the job's device is a GPU."""
    gpu_memory: int
    """MiB of its memory; 0 where none is needed."""
    memory: int
    """MiB of the machine's own memory."""
    scratch: int
    """MiB on its disk, in the folder for clips that are too large for the memory; 0 for none."""
    cores: int | None
    """CPU cores, where the job says how many threads it computes with."""


def needs_of(plan: Plan, division: Division, stage: RenderStage) -> Needs:
    """What a task needs, by the job's own `device`, `memory` and `threads`, and where clips lie.

    A job whose device is `auto` asks for no GPU: its tasks use one where there is one. Where the
    device is named, what prepares needs it as fits do: it measures there by what fits are called,
    and another device's rounding may give another name.

    Args:
        plan: of the job.
        division: how large what it works on is.
        stage: what of a render it does.
    """
    prepares, writes = stage is RenderStage.PREPARE, stage is RenderStage.WRITE
    computes = plan.job.minutes is not None if prepares else not writes
    on_gpu = kind_of(plan.job.device) == "cuda" and not writes
    voxels: tuple[int, ...] = (0,)
    if division.layout is not None:
        voxels = voxels_of(division.layout.parts, division.frames_read)
    held = held_bytes(sum(voxels), voxels[-1], layouts=1, on_disk=False)
    if on_gpu:  # clips are in its memory for good, and in the machine's on their way there
        most = max(plan.memory, held + _LEAST_TILE_BYTES)
        passing = CLIP_BYTES * sum(voxels)
        return Needs(1, _mib(most), _mib(_ENGINE_BYTES + passing), 0, plan.job.threads)
    on_disk = too_large(voxels, plan.memory)
    if writes:
        held = CLIP_BYTES * sum(voxels) + _WRITTEN_BYTES * voxels[-1] * division.takes
    resting = WORKING_BYTES if on_disk else held
    own = plan.memory if computes else resting  # what is held is part of the former
    return Needs(
        gpus=0,
        gpu_memory=0,
        memory=_mib(_ENGINE_BYTES + own),
        scratch=_mib(held) if on_disk else 0,
        cores=plan.job.threads,
    )


def _mib(size: int) -> int:
    return -(-size // _MIB)
