"""Preparing: the clip is decoded once for all machines, and what a device decides is decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch

from infusion_engine.arithmetic import chosen
from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.chain import stages
from infusion_engine.device import choose_device, device_errors
from infusion_engine.devices import first
from infusion_engine.encode import encode_shot
from infusion_engine.infuse import Infusion
from infusion_engine.kept_clip import tensors_of
from infusion_engine.machine import made_with
from infusion_engine.media.encoding import Encoding
from infusion_engine.media.survey import Survey
from infusion_engine.minutes import budgeted
from infusion_engine.parity import decided
from infusion_engine.plan import Plan
from infusion_engine.planned import infusion_of
from infusion_engine.prepared import Clip, Prepared, frame_digest, job_identity, keep
from infusion_engine.progress import Report
from infusion_engine.render import surveyed, tell_resolved, telling
from infusion_engine.review.onlooker import Onlooker
from infusion_engine.source import Source
from infusion_engine.stage import RenderStage
from infusion_engine.take import FIRST_TAKE
from infusion_engine.turn import turn
from infusion_node.wire.events import Staged


def prepare_shot(plan: Plan, store: Store, report: Report) -> None:
    """Decode, encode and keep the clip, and decide what is left to the device.

    Raises:
        InputError: a frame is damaged, or the matte covers everything.
        DeviceError: the device ran out of memory or was lost.
        StorageError: the cache cannot be written.
        Cancelled: a stop was asked for.
    """
    if plan.report is not None:
        report.warn("The report is made by a whole render only: with --stage there is none.")
    store.prepare()
    found = surveyed(plan, report)
    device = choose_device(first(plan.job.device))
    told = made_with(device, plan.threads)
    if found.encoding is None:
        report.warn("The matte is empty on every frame: all frames pass through unchanged.")
        empty = Prepared(chosen(plan.settings, device), None, found.holes, {}, None)
        _, outcome = keep(empty, plan, store, told)
        report.emit(Staged(RenderStage.PREPARE.value, outcome, "no interval: nothing is missing"))
        return
    with turn(device, report, shares=plan.job.threads is not None), device_errors(device):
        asked, plan = plan, replace(plan, settings=decided(plan.settings, device, report))
        clip, frames, source = _read(plan, found, found.encoding, report, device)
        infusion = infusion_of(plan, source, store, report)
        clip = replace(clip, tops=infusion.named.tops, units=infusion.units)
        record = {"identity": clip.identity.described(), **told}
        with report.stop.finishing():
            room = source.levels[-1].shelf
            store.save(Kind.CLIP, clip.key, tensors_of(source.levels), record, room=room)
        if plan.job.minutes is not None:
            plan, _ = budgeted(plan, source, store, report)
            infusion = infusion_of(plan, source, store, report)
        note_entries(plan, clip, infusion, (job_identity(asked).key, clip.key))
        own = Prepared(plan.settings, plan.expected_seconds, found.holes, frames, clip)
        holds, outcome = keep(own, asked, store, told)
    tell_resolved(holds.decided(asked), report, Onlooker())
    chain = stages(clip.named(plan.job.seed, FIRST_TAKE), holds.settings)
    counts = [sum(s.level == level for s in chain) for level in range(len(clip.tops))]
    detail = f"{len(chain)} intervals, by size {' + '.join(map(str, counts))}"
    report.emit(Staged(RenderStage.PREPARE.value, outcome, detail))


def _read(
    plan: Plan, found: Survey, encoding: Encoding, report: Report, device: torch.device
) -> tuple[Clip, dict[int, str], Source]:
    """(what the clip is, digest of each frame, its levels on the device)."""
    frames = list[str]()

    def on_bits(pixels: np.ndarray, known: np.ndarray, matte: np.ndarray) -> None:
        frames.append(frame_digest(pixels, known, matte))

    on_frame = telling(report, "reading")
    shot = encode_shot(plan, found, encoding, device, on_frame=on_frame, on_bits=on_bits)
    source = shot.source
    clip = Clip(
        digest=source.clip,
        encoding=encoding,
        camera=found.camera,
        read=shot.layout.region,
        finest=shot.layout.finest,
        parts=tuple(level.part for level in source.levels),
        tops=(),
        units=(),
    )
    return clip, dict(zip(plan.shot.frames_read, frames, strict=True)), source


def note_entries(plan: Plan, clip: Clip, infusion: Infusion, keys: Iterable[str]) -> None:
    """Note in the cache's index what the shot's entries are called: `keys`, fits and samples.

    While a worker holds a lock on one of them, none of them is pruned.
    """
    found = dict.fromkeys(keys)
    for take in plan.takes:
        infusion.begin(take.seed, number=take.number, count=len(plan.takes))
        found |= dict.fromkeys(infusion.keys)
    infusion.begin(plan.takes[0].seed, number=1, count=len(plan.takes))
    infusion.store.note_shot(
        clip.digest,
        name=str(plan.shot.plate.folder / plan.shot.plate.pattern),
        frames=str(plan.shot.frames_read),
        size=(clip.finest.width, clip.finest.height),
        preset=plan.job.preset,
        keys=found,
    )
