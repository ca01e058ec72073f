"""The whole method on one page: read, fit and sample interval by interval, write the layer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from infusion_engine import devices
from infusion_engine.cache.store import Store
from infusion_engine.device import choose_device, device_errors
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.encode import encode_shot
from infusion_engine.machine import made_with
from infusion_engine.media.box import Box
from infusion_engine.media.camera import CameraPath
from infusion_engine.media.encoding import Encoding
from infusion_engine.media.follow import followed
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.layer import Fill, write_frame
from infusion_engine.media.region import Region
from infusion_engine.media.shot import holds_layer
from infusion_engine.media.survey import Survey, survey
from infusion_engine.minutes import budgeted
from infusion_engine.parity import decided
from infusion_engine.plan import Plan
from infusion_engine.planned import infusion_of
from infusion_engine.progress import Report
from infusion_engine.review.html_report import HtmlReport
from infusion_engine.review.interval_done import IntervalDone
from infusion_engine.review.onlooker import Onlooker
from infusion_engine.settings import Camera
from infusion_engine.sheet import write_sheet
from infusion_engine.take import Take, by_files
from infusion_engine.turn import turn
from infusion_node.wire.events import Resolved


@dataclass(frozen=True, eq=False)
class Filled:
    """The filled clip and how to read a frame's fill out of it."""

    clip: np.ndarray
    """(3, T, H, W) float32, encoded, at working size."""
    region: Region
    """Where it lies in the plate, or in the steady picture."""
    encoding: Encoding
    """How it was encoded."""
    camera: CameraPath | None
    """The camera's path, where it was followed."""
    shelf: Shelf
    """Where the clip lies."""

    def rgb(self, index: int) -> np.ndarray:
        """Frame `index` in plate values at the plate's size: (h, w, 3) float32, in the region."""
        found = _decoded(self.clip[:, index], self.region, self.encoding)
        self.shelf.rest()
        return found


def render(plan: Plan, report: Report) -> None:
    """Fill the matte of a shot and write every frame.

    Raises:
        InputError: a frame is damaged, or the matte covers everything.
        DeviceError: the device ran out of memory or was lost.
        StorageError: the cache or the output cannot be written.
        Cancelled: a stop was asked for; everything finished is kept.
    """
    with _onlooker(plan, report) as onlooker:
        _render(plan, report, onlooker)


def _render(plan: Plan, report: Report, onlooker: Onlooker) -> None:
    """What `render` does, while somebody looks on."""
    shot = plan.shot
    for layer in dict.fromkeys(take.layer for take in plan.takes):
        if holds_layer(shot, layer):
            report.warn(f"The plate already holds a layer {layer!r}: it is replaced.")
    onlooker.phase("looking")
    found = surveyed(plan, report)
    holes = {frame: found.holes[frame] for frame in shot.frames}
    onlooker.looked(holes)
    if found.encoding is None:
        report.warn("The matte is empty on every frame: all frames pass through unchanged.")
        filled: tuple[Filled, ...] = ()
    else:
        filled = _fill(plan, found, found.encoding, report, onlooker)

    def fill_of(take: Take, frame: int) -> Fill | None:
        """What one take puts into one frame."""
        if not filled or found.holes[frame].is_empty:
            return None
        one = filled[take.number - 1]
        rgb = one.rgb(frame - shot.frames_read.first)
        return frame_fill(plan, one.region, rgb, frame, one.camera)

    def fills(frame: int) -> dict[Take, Fill | None]:
        """What each take puts into one frame."""
        return {take: fill_of(take, frame) for take in plan.takes}

    onlooker.phase("writing")
    write_frames(plan, shot.frames, fills, report)
    onlooker.phase("drawing")
    if plan.contact_sheet is not None:
        write_sheet(shot, holes, lambda frame: list(fills(frame).values()), plan.contact_sheet)
        report.preview(plan.contact_sheet)
    onlooker.filled(lambda frame: fill_of(plan.takes[0], frame))


def surveyed(plan: Plan, report: Report) -> Survey:
    """One look at every frame, and where asked another at where the camera was.

    Raises:
        InputError: a frame is damaged, the matte covers everything, or the camera cannot be
            followed.
    """
    found = survey(
        plan.shot, mode=plan.write, on_frame=telling(report, "looking"), space=plan.input_space
    )
    for note in found.notes:
        report.warn(note)
    if plan.settings.camera is Camera.FOLLOWED and found.encoding is not None:
        found = replace(found, camera=followed(plan.shot, telling(report, "following")))
    return found


def write_frames(
    plan: Plan,
    frames: FrameRange,
    fills: Callable[[int], dict[Take, Fill | None]],
    report: Report,
) -> None:
    """Write some frames: a file for each, or for each take of it where files hold one fill."""
    groups = by_files(plan.takes)
    total = len(frames) * len(groups)
    done = 0
    for frame in frames:
        of_take = fills(frame)
        for first, *others in groups:
            report.progress("writing", done, total)
            target = first.output.path(frame)
            with report.stop.finishing():
                write_frame(
                    plan.shot,
                    frame,
                    fill=of_take[first],
                    target=target,
                    layer=first.layer,
                    mode=plan.write,
                    further={take.layer: of_take[take] for take in others},
                )
            report.frame(frame, target)
            done += 1
    report.progress("writing", total, total)


def _onlooker(plan: Plan, report: Report) -> Onlooker:
    """Who watches the render."""
    if plan.report is None:
        return Onlooker()
    return HtmlReport(plan.report, shot=plan.shot, described=plan.described(), report=report)


def _fill(
    plan: Plan, found: Survey, encoding: Encoding, report: Report, onlooker: Onlooker
) -> tuple[Filled, ...]:
    """The filled clip of every take, from the cache as far as it goes."""
    torch.set_num_threads(plan.threads)
    device = choose_device(devices.first(plan.job.device))
    with turn(device, report, shares=plan.job.threads is not None):
        return _fill_on(plan, found, encoding, report, onlooker, device=device)


def _fill_on(
    plan: Plan,
    found: Survey,
    encoding: Encoding,
    report: Report,
    onlooker: Onlooker,
    *,
    device: torch.device,
) -> tuple[Filled, ...]:
    """What `_fill` does once the device is ours."""
    if (settings := decided(plan.settings, device, report)) != plan.settings:
        plan = replace(plan, settings=settings)
        tell_resolved(plan, report, onlooker)
    onlooker.machine(made_with(device, plan.threads))
    onlooker.phase("reading")
    shot = encode_shot(plan, found, encoding, device, on_frame=telling(report, "reading"))
    source, region = shot.source, shot.layout.finest

    def on_interval(done: IntervalDone) -> None:
        def fill_of(frame: int) -> Fill:
            encoded = done.frame(frame - plan.shot.frames_read.first)
            rgb = _decoded(encoded, region, encoding)
            return frame_fill(plan, region, rgb, frame, found.camera)

        onlooker.interval(done, None if done.predicted is None else fill_of)

    onlooker.phase("inpainting")
    with open_store(plan, report) as store, device_errors(device):
        keys: dict[str, None] = {}
        if plan.job.minutes is not None:
            plan, key = budgeted(plan, source, store, report)
            keys[key] = None
            tell_resolved(plan, report, onlooker)
        on_done = None if plan.report is None else on_interval
        infusion = infusion_of(plan, source, store, report, on_interval=on_done)
        count = len(plan.takes)
        for take in plan.takes:
            infusion.begin(take.seed, number=take.number, count=count)
            keys |= dict.fromkeys(infusion.keys)
        store.note_shot(
            source.clip,
            name=str(plan.shot.plate.folder / plan.shot.plate.pattern),
            frames=str(plan.shot.frames_read),
            size=(region.width, region.height),
            preset=plan.job.preset,
            keys=keys,
        )
        filled = []
        for take in plan.takes:
            infusion.begin(take.seed, number=take.number, count=count)
            filled.append(Filled(infusion.run(), region, encoding, found.camera, infusion.shelf))
        return tuple(filled)


def tell_resolved(plan: Plan, report: Report, onlooker: Onlooker) -> None:
    """Tell everybody what was decided since the plan was last told."""
    described = plan.described()
    report.emit(Resolved(described))
    onlooker.resolved(described)


def _decoded(frame: np.ndarray, region: Region, encoding: Encoding) -> np.ndarray:
    """One frame (3, H, W) of a clip in plate values at the plate's size: (h, w, 3) float32."""
    encoded = np.moveaxis(frame[:, : region.height, : region.width], 0, 2)
    return encoding.decode(region.enlarge(encoded))


def frame_fill(
    plan: Plan, region: Region, rgb: np.ndarray, frame: int, camera: CameraPath | None
) -> Fill:
    """What replaces the plate in one frame: rgb is (h, w, 3), in the region.

    Of a camera that was followed the region is one of the steady picture, and the frame's hole is
    looked up in it.
    """
    canvas = plan.shot.canvas
    matte = plan.shot.read_matte(frame)
    if camera is None:
        return Fill(box=region.box, rgb=rgb, matte=matte[region.box.slices(canvas)])
    box = Box.around(matte > 0.0, canvas)
    seen = camera.seen(frame, rgb, region.box, box)
    return Fill(box=box, rgb=seen, matte=matte[box.slices(canvas)])


@contextmanager
def open_store(plan: Plan, report: Report) -> Iterator[Store]:
    """The job's cache, or one that goes with the run."""
    if plan.cache_folder is not None:
        yield Store(plan.cache_folder, on_damage=report.warn)
        return
    with tempfile.TemporaryDirectory(prefix="infusion-") as folder:
        yield Store(Path(folder), on_damage=report.warn)


def telling(report: Report, phase: str) -> Callable[[int, int], None]:
    """Progress of one phase as a callback of (done, total)."""
    return lambda done, total: report.progress(phase, done, total)
