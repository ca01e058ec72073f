"""Shelving: whether a shot's clips stay in memory while it is worked on, or lie on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch

from infusion_engine.clip_sizes import SAMPLED_BYTES, too_large, voxels_of
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.errors import StorageError
from infusion_engine.media.box import Box
from infusion_engine.plan import Plan


def shelf_for(plan: Plan, parts: Sequence[Box], device: torch.device) -> Shelf:
    """Where the clips of a shot lie: on disk, if they leave too little of `--memory` to work in.

    A GPU's clips stay in its own memory.

    Args:
        plan: says how much memory there is, and which folder there is beside it.
        parts: what each level keeps of its grid, coarsest first.
        device: that computes.
    """
    voxels = voxels_of(parts, len(plan.shot.frames_read))
    if device.type != "cpu" or not too_large(voxels, plan.memory):
        return Shelf()
    return Shelf(plan.scratch)


def check_room(shelf: Shelf, sampled: int) -> None:
    """See to it, before anything is fitted, that the disk has room for the sampling that follows.

    Args:
        shelf: where all clips lie; those of the levels do by now.
        sampled: voxels of the finest level that are sampled.

    Raises:
        StorageError: it has not, which would show after hours of fitting.
    """
    if shelf.folder is None:
        return
    shelf.folder.mkdir(parents=True, exist_ok=True)  # as its first large clip does
    needed, free = SAMPLED_BYTES * sampled, shutil.disk_usage(shelf.folder).free
    if free < needed:
        raise StorageError(
            f"To sample this shot takes about {needed / 2**30:.0f} GiB on the disk, and "
            f"{shelf.folder} has {free / 2**30:.0f} GiB free.",
            remedy="Name a local folder with more room with --scratch, give so much --memory that "
            "clips stay in it, or divide the shot with --frames.",
        )
