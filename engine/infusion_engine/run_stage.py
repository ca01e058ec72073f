"""One stage of a render: what is there already is found, what it needs and is missing is named."""

from __future__ import annotations

from collections.abc import Callable

import torch

from infusion_engine.cache.entry import Kind
from infusion_engine.device import choose_device, device_errors
from infusion_engine.devices import first
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.errors import DeviceError, StorageError, UsageError
from infusion_engine.infuse import BASE, Infusion
from infusion_engine.kept_clip import load_levels
from infusion_engine.parity import check_parity
from infusion_engine.plan import Plan
from infusion_engine.planned import infusion_of
from infusion_engine.prepare_stage import note_entries, prepare_shot
from infusion_engine.prepared import Clip, require
from infusion_engine.progress import Report
from infusion_engine.render import open_store
from infusion_engine.shelving import shelf_for
from infusion_engine.source import Source
from infusion_engine.stage import RenderStage, StageRequest
from infusion_engine.take import Take
from infusion_engine.turn import turn
from infusion_engine.work import Work
from infusion_engine.write_stage import write_prepared


def run_stage(plan: Plan, request: StageRequest, report: Report) -> None:
    """Do one stage of a render, unless the cache holds what it would make.

    Raises:
        UsageError: the job has no such part, or keeps no cache.
        InputError: a frame is damaged, or is another than when the job was prepared.
        DeviceError: the device ran out of memory or was lost.
        StorageError: the cache or the output cannot be written, or lacks what is needed.
        Cancelled: a stop was asked for; everything finished is kept.
    """
    if plan.cache_folder is None:
        raise UsageError(
            f"--stage {request.stage.value} hands on through the cache, and --no-cache keeps none.",
            remedy="Give a --cache that all machines see.",
        )
    torch.set_num_threads(plan.threads)
    with open_store(plan, report) as store:
        if request.stage is RenderStage.PREPARE:
            prepare_shot(plan, store, report)
            return
        prepared = require(plan, store)
        work = Work(prepared.decided(plan), prepared, store, report)
        if request.stage is RenderStage.WRITE:
            _write(work, request)
        elif prepared.clip is None:
            work.tell(request.stage, "nothing", "the matte is empty on every frame")
        elif request.stage is RenderStage.SAMPLE:
            _sample(work, prepared.clip, _take(plan, request))
        elif request.stage is RenderStage.BASE:
            _fit_base(work, prepared.clip)
        else:
            _fit(work, prepared.clip, (request.interval or 0) - 1)


def _computed(work: Work, clip: Clip, do: Callable[[Infusion], None]) -> None:
    """Have `do` compute on the kept clip, once the device is ours.

    Raises:
        StorageError: the clip is gone, or the cache takes nothing: told before any work.
        DeviceError: this machine names fits otherwise than the one that prepared the clip, or its
            bfloat16 is wrong.
    """
    plan = work.plan
    work.store.prepare()
    device = choose_device(first(plan.job.device))
    shares = plan.job.threads is not None
    with turn(device, work.report, shares=shares), device_errors(device):
        if "precision" not in plan.job.settings:  # what was asked for by name is not tried
            check_parity(plan.settings, device)
        shelf = shelf_for(plan, clip.parts, device)
        levels = load_levels(work.store, clip.key, device, shelf)
        source = Source(levels, clip.digest, clip.encoding.described())
        infusion = infusion_of(plan, source, work.store, work.report)
        if infusion.units != clip.units:
            raise DeviceError(
                f"This machine measures the units {infusion.units} of the clip's sizes, and the "
                f"one that prepared it {clip.units}: its fits would have other names.",
                remedy="Run this stage on a machine of the kind that ran --stage prepare.",
            )
        note_entries(plan, clip, infusion, (clip.key,))
        do(infusion)


def _fit_base(work: Work, clip: Clip) -> None:
    """The fit that all others start from."""
    base, _ = work.names(clip, work.plan.job.seed)
    if base is None:
        start = work.plan.settings.fits_start.value
        work.tell(RenderStage.BASE, "nothing", f"fits_start={start}: no fit starts from a base")
    elif work.store.load(Kind.FIT, base.fit.key) is not None:
        work.tell(RenderStage.BASE, "hit", "the base")
    else:
        _computed(work, clip, lambda infusion: infusion.fit(BASE))
        work.tell(RenderStage.BASE, "done", "the base")


def _fit(work: Work, clip: Clip, index: int) -> None:
    """The fit of the chain's stage `index`, from 0."""
    base, chain = work.names(clip, work.plan.job.seed)
    if not 0 <= index < len(chain):
        work.report.warn(f"There is no interval {index + 1}: this shot has {len(chain)}.")
        work.tell(RenderStage.FIT, "nothing", f"no interval {index + 1}")
        return
    key, parent = chain[index].fit.key, chain[index].fit.parent
    detail = f"interval {index + 1}/{len(chain)}"
    if (entry := work.store.load(Kind.FIT, key)) is not None:
        loss = entry.record.get("loss")
        work.report.interval(index, len(chain), "hit", loss if isinstance(loss, float) else None)
        work.tell(RenderStage.FIT, "hit", detail)
        return
    if parent is not None and work.store.load(Kind.FIT, parent) is None:
        first = "--stage base" if base is not None else f"--stage fit --interval {index}"
        raise StorageError(
            f"The fit of interval {index + 1} starts from one that the cache {work.store.folder} "
            f"does not hold (fits_start={work.plan.settings.fits_start.value}).",
            remedy=f"Run {first} first.",
        )
    _computed(work, clip, lambda infusion: infusion.fit(index))
    work.tell(RenderStage.FIT, "done", detail)


def _take(plan: Plan, request: StageRequest) -> Take:
    """The take that is asked for.

    Raises:
        UsageError: the job has fewer.
    """
    number = request.take or 0
    if not 1 <= number <= len(plan.takes):
        raise UsageError(
            f"--take {number}: the job has {len(plan.takes)} takes, counted from 1.",
            remedy="Choose one of them, or raise --takes.",
        )
    return plan.takes[number - 1]


def _sample(work: Work, clip: Clip, take: Take) -> None:
    """One take's sample, from fits that are all there."""
    _, chain = work.names(clip, take.seed)
    detail = f"take {take.number}/{len(work.plan.takes)}"
    room = shelf_for(work.plan, clip.parts, torch.device("cpu"))  # it may be larger than memory
    if work.store.load(Kind.SAMPLE, chain[-1].sample.key, room=room) is not None:
        work.tell(RenderStage.SAMPLE, "hit", detail)
        return
    missing = [i + 1 for i, s in enumerate(chain) if work.store.load(Kind.FIT, s.fit.key) is None]
    if missing:
        raise StorageError(
            f"The cache {work.store.folder} lacks the fits of intervals "
            f"{', '.join(map(str, missing))} of {len(chain)}.",
            remedy=f"Run --stage fit --interval {missing[0]} first, and so on for each.",
        )

    def draw(infusion: Infusion) -> None:
        infusion.begin(take.seed, number=take.number, count=len(work.plan.takes))
        infusion.sample()

    _computed(work, clip, draw)
    work.tell(RenderStage.SAMPLE, "done", detail)


def _write(work: Work, request: StageRequest) -> None:
    """Frames of the result, from samples that are all there."""
    plan, clip, clips = work.plan, work.prepared.clip, list[torch.Tensor]()
    shelf = Shelf()
    if clip is not None:
        shelf = shelf_for(plan, clip.parts, torch.device("cpu"))
        for take in plan.takes:
            _, chain = work.names(clip, take.seed)
            entry = work.store.load(Kind.SAMPLE, chain[-1].sample.key, room=shelf)
            if entry is None:
                raise StorageError(
                    f"The cache {work.store.folder} has no sample of take {take.number}.",
                    remedy=f"Run --stage sample --take {take.number} first.",
                )
            clips.append(torch.from_numpy(entry.tensors["x"]))
    frames = plan.shot.frames if request.frames is None else request.frames
    write_prepared(work, clips, frames, shelf)
    work.tell(RenderStage.WRITE, "done", f"frames {frames}")
