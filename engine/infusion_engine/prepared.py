"""A prepared job: what one machine found out about a shot, so that all others work by it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from infusion_engine.cache.entry import Entry, Kind
from infusion_engine.cache.key import ClipDigest, ClipIdentity, JobIdentity
from infusion_engine.cache.store import Store
from infusion_engine.cache.tensor_file import Tensors
from infusion_engine.chain import Named
from infusion_engine.devices import first, kind_of
from infusion_engine.errors import FrameError, StorageError
from infusion_engine.media.box import Box
from infusion_engine.media.camera import CameraPath
from infusion_engine.media.encoding import Curve, Encoding
from infusion_engine.media.image_header import FrameHeader
from infusion_engine.media.read_frames import frame_bits
from infusion_engine.media.region import Region
from infusion_engine.overrides import overridden
from infusion_engine.plan import Plan
from infusion_engine.settings import PRESETS, Precision, Settings, described

_BLOCK_BYTES = 2**20
"""Read at a file's beginning, middle and end, to tell it from another shot's: a task reads no more,
however large its frames are."""


@dataclass(frozen=True)
class Clip:
    """What is known of the clip beside its pixels, which are an entry of their own."""

    digest: str
    """`ClipDigest` of the known pixels and the matte."""
    encoding: Encoding
    """How plate values became the clip's."""
    camera: CameraPath | None
    """The camera's path, where it was followed; regions are then of its steady picture."""
    read: Region
    """What was read of the plate."""
    finest: Region
    """What of it is filled."""
    parts: tuple[Box, ...]
    """What each level keeps of its grid, coarsest first."""
    tops: tuple[int, ...]
    """One past the noisiest timestep of each level, coarsest first."""
    units: tuple[float, ...]
    """The encoded value that is 1 at each level."""

    @property
    def key(self) -> str:
        """Of the entry that holds its pixels."""
        return self.identity.key

    @property
    def identity(self) -> ClipIdentity:
        """What the pixels' entry is called."""
        sizes = {
            "read": _told_region(self.read),
            "finest": _told_region(self.finest),
            "parts": [_told_box(part) for part in self.parts],
        }
        return ClipIdentity(clip=self.digest, encoding=self.encoding.described(), sizes=sizes)

    def named(self, seed: int, take: int) -> Named:
        """What gives fits and samples their names."""
        return Named(
            clip=self.digest,
            encoding=self.encoding.described(),
            tops=self.tops,
            units=self.units,
            seed=seed,
            take=take,
        )


@dataclass(frozen=True)
class Prepared:
    """What was found out about a job."""

    settings: Settings
    """Every setting, with what the device and the minutes decided."""
    expected_seconds: float | None
    """How long the render should take in one process, where minutes were given."""
    holes: Mapping[int, Box]
    """Tightest box around the hole of each frame read; empty where the matte is."""
    frames: Mapping[int, str]
    """Digest of what was read of each frame; empty without a clip."""
    clip: Clip | None
    """None where the matte is empty on every frame."""

    def decided(self, plan: Plan) -> Plan:
        """The plan, with what is decided here."""
        return replace(plan, settings=self.settings, expected_seconds=self.expected_seconds)


def job_identity(plan: Plan) -> JobIdentity:
    """How a job is found by whoever has decoded nothing: no clock, and no folder, is in it.

    Raises:
        FrameError: a file is gone.
    """
    shot, job = plan.shot, plan.job
    matte = shot.matte
    colour = None if plan.input_space is None else plan.input_space.described()
    open_ = job.minutes is not None or plan.settings.precision is Precision.AUTO
    return JobIdentity(
        files=(*_files(shot.headers), *_files(matte.headers)),
        ends=_ends(shot.headers, matte.headers),
        shot={
            "frames_read": str(shot.frames_read),
            "colour": list(shot.colour),
            "part": shot.part,
            "view": shot.view,
            "input_space": colour,
            "matte": [matte.found.part, matte.channel],
            "invert": matte.shaping.invert,
            "grow": matte.shaping.grow,
            "feather": matte.shaping.feather,
        },
        settings=described(plan.settings),
        minutes=None if job.minutes is None else float(job.minutes),
        device=kind_of(first(job.device)) if open_ else None,
    )


def find(plan: Plan, store: Store) -> Prepared | None:
    """What was found out about this job, if `prepare` has been run on this cache."""
    entry = store.load(Kind.JOB, job_identity(plan).key)
    return None if entry is None else _from_entry(entry, plan)


def require(plan: Plan, store: Store) -> Prepared:
    """What was found out about this job.

    Raises:
        StorageError: nobody has prepared it on this cache.
    """
    found = find(plan, store)
    if found is None:
        raise StorageError(
            f"The cache {store.folder} holds no prepared clip of this job.",
            remedy="Run the same command with --stage prepare first: with the same files, as they "
            "are now, frames, matte options, --preset, --set, --minutes and kind of --device.",
        )
    return found


def keep(
    prepared: Prepared, plan: Plan, store: Store, made_with: Mapping[str, object]
) -> tuple[Prepared, str]:
    """Keep what was found out: (what holds from now on, `hit` or `done`).

    Of the same clip the first word holds, so that two machines that prepare it at once do not
    decide twice. What another plate of the same file names had told is replaced.

    Raises:
        StorageError: it cannot be kept.
    """
    identity = job_identity(plan)
    before = find(plan, store)
    if before is not None and before.frames == prepared.frames and before.clip == prepared.clip:
        return before, "hit"
    if before is not None:
        store.drop(Kind.JOB, identity.key)
    frames = sorted(prepared.holes)
    boxes = np.array([_told_box(prepared.holes[frame]) for frame in frames], np.int64)
    clip = prepared.clip
    record: dict[str, object] = {
        "identity": identity.described(),
        "settings": described(prepared.settings),
        "expected_seconds": prepared.expected_seconds,
        "frames": [prepared.frames.get(frame) for frame in frames],
        "clip": None if clip is None else _told_clip(clip),
        **made_with,
    }
    tensors: Tensors = {"frames": np.array(frames, np.int64), "holes": boxes}
    store.save(Kind.JOB, identity.key, tensors, record)
    return find(plan, store) or prepared, "done"


def frame_digest(pixels: np.ndarray, known: np.ndarray, matte: np.ndarray) -> str:
    """Digest of what one frame says: see `frame_bits`."""
    digest = ClipDigest()
    digest.add_frame(pixels, known, matte)
    return digest.hexdigest()


def check_same(prepared: Prepared, plan: Plan, frame: int) -> None:
    """See to it that a frame is still what it was when the clip was prepared.

    Raises:
        FrameError: its known pixels or its matte are others now, or damaged.
    """
    if prepared.clip is None:
        return
    clip = prepared.clip
    bits = frame_bits(plan.shot, clip.read, frame, clip.camera)
    if frame_digest(*bits) == prepared.frames[frame]:
        return
    raise FrameError(
        f"Frame {frame} of {plan.shot.plate} or its matte has changed since the shot was prepared: "
        "the fill was made for other pixels.",
        remedy="Run --stage prepare again, and then every stage after it.",
    )


def _files(headers: Mapping[int, FrameHeader]) -> list[tuple[str, int]]:
    found = []
    for _, header in sorted(headers.items()):
        with _looking_at(header.path):
            found.append((header.path.name, header.path.stat().st_size))
    return found


def _ends(*sequences: Mapping[int, FrameHeader]) -> str:
    """Digest of what stands in the first and the last file of each sequence.

    Not of all files: a changed frame amid the shot is to be named by whoever writes it.
    """
    found = hashlib.sha256()
    for headers in sequences:
        for frame in (min(headers), max(headers)):
            path = headers[frame].path
            with _looking_at(path), path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                last = max(0, size - _BLOCK_BYTES)
                for start in (0, last // 2, last):
                    file.seek(start)
                    found.update(file.read(_BLOCK_BYTES))
    return found.hexdigest()


@contextmanager
def _looking_at(path: Path) -> Iterator[None]:
    """What the filesystem says of a file, as an error of ours.

    Raises:
        FrameError: it is gone, or cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise FrameError(
            f"{path} cannot be looked at: {error.strerror or error}.",
            remedy="Put the file back, and run the same command again.",
        ) from error


def _told_clip(clip: Clip) -> dict[str, object]:
    return {
        "digest": clip.digest,
        "encoding": {
            "curve": clip.encoding.curve,
            "knee": clip.encoding.knee,
            "low": clip.encoding.low,
            "high": clip.encoding.high,
        },
        "read": _told_region(clip.read),
        "finest": _told_region(clip.finest),
        "camera": None if clip.camera is None else _told_camera(clip.camera),
        "parts": [_told_box(part) for part in clip.parts],
        "tops": list(clip.tops),
        "units": list(clip.units),
    }


def _told_camera(camera: CameraPath) -> dict[str, object]:
    frames = sorted(camera.matrices)
    return {
        "canvas": _told_box(camera.canvas),
        "frames": frames,
        "matrices": [camera.matrices[frame].tolist() for frame in frames],
    }


def _told_region(region: Region) -> list[int]:
    return [*_told_box(region.box), region.width, region.height]


def _told_box(box: Box) -> list[int]:
    return [box.x0, box.y0, box.x1, box.y1]


def _from_entry(entry: Entry, plan: Plan) -> Prepared:
    """What `keep` was given; the record's seal holds, so it is what was written."""
    record: dict[str, Any] = dict(entry.record)
    frames = [int(frame) for frame in entry.tensors["frames"]]
    boxes = [_box(row) for row in entry.tensors["holes"].tolist()]
    told = dict(record["settings"])
    told["working_size"] = "x".join(map(str, told["working_size"]))
    clip = record["clip"]
    return Prepared(
        settings=overridden(PRESETS["draft"], {name: str(value) for name, value in told.items()}),
        expected_seconds=record["expected_seconds"],
        holes=dict(zip(frames, boxes, strict=True)),
        frames={f: digest for f, digest in zip(frames, record["frames"], strict=True) if digest},
        clip=None if clip is None else _clip(clip, plan),
    )


def _clip(told: Mapping[str, Any], plan: Plan) -> Clip:
    numbers = told["encoding"]
    encoding = Encoding(
        Curve(numbers["curve"]),
        knee=numbers["knee"],
        low=numbers["low"],
        high=numbers["high"],
        space=plan.input_space,
    )
    return Clip(
        digest=told["digest"],
        encoding=encoding,
        camera=None if told["camera"] is None else _camera(told["camera"]),
        read=_region(told["read"]),
        finest=_region(told["finest"]),
        parts=tuple(_box(part) for part in told["parts"]),
        tops=tuple(told["tops"]),
        units=tuple(told["units"]),
    )


def _camera(told: Mapping[str, Any]) -> CameraPath:
    matrices = (np.array(matrix, np.float64) for matrix in told["matrices"])
    by_frame = dict(zip(map(int, told["frames"]), matrices, strict=True))
    return CameraPath(by_frame, _box(told["canvas"]))


def _region(told: Sequence[int]) -> Region:
    return Region(_box(told[:4]), told[4], told[5])


def _box(told: Sequence[int]) -> Box:
    return Box(*told)
