"""Plan: a job with everything found out that can be known before any work; torch-free."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infusion_engine.cache.store import default_folder
from infusion_engine.cores import available_cores
from infusion_engine.errors import StorageError, UsageError
from infusion_engine.job_schema import check_job
from infusion_engine.media.input_space import InputSpace, open_input_space
from infusion_engine.media.layer import WriteMode
from infusion_engine.media.sequence import FileSequence, check_not_plate, output_sequence
from infusion_engine.media.shot import Shot, check_layer_is_free, check_layer_name, open_shot
from infusion_engine.overrides import overridden
from infusion_engine.progress import Report
from infusion_engine.review.report_folder import PICTURES, check_report_folder
from infusion_engine.settings import PRESETS, Settings, described
from infusion_engine.stage import RenderStage
from infusion_engine.take import Take, by_files, takes_of
from infusion_node.wire.job import RenderJob

_PROBE_BYTES = 65536


@dataclass(frozen=True)
class Plan:
    """One render, checked: what to read, what to compute, where to write."""

    job: RenderJob
    """What was asked for."""
    settings: Settings
    """Every number behind the preset, overrides included."""
    shot: Shot
    """Plate and matte, headers looked at, no pixel decoded."""
    input_space: InputSpace | None
    """The plate's colour space, where it was named: it is converted, and the fill back."""
    takes: tuple[Take, ...]
    """What is drawn from the fits, and where it goes: one file for each of `shot.frames`."""
    write: WriteMode
    """What goes into them; always MERGED where the format has no layers."""
    cache_folder: Path | None
    """Folder of fits and samples; None keeps them only as long as the run."""
    scratch: Path
    """Folder for clips that are too large for the memory, while the run lasts."""
    contact_sheet: Path | None
    """PNG to write for a person to look at, if any."""
    report: Path | None
    """Folder of the HTML report, if any."""
    threads: int
    """CPU threads to compute with."""
    memory: int
    """Bytes that the engine may take."""
    expected_seconds: float | None = None
    """How long the render should take, once `minutes` has become numbers of steps."""

    @property
    def output(self) -> FileSequence:
        """The files of the first take."""
        return self.takes[0].output

    def described(self) -> dict[str, Any]:
        """Everything resolved, as plain JSON values in sections: `--dry-run` and the record."""
        job, shot = self.job, self.shot
        return {
            "plate": {
                "files": os.fspath(shot.plate.folder / shot.plate.pattern),
                "frames": str(shot.frames),
                "frames_read": str(shot.frames_read),
                "size": str(shot.canvas),
                "channels": list(shot.colour),
                "pixels": f"{shot.pixel_type.value}, {shot.transfer.value}",
                "view": shot.view,
                **self._colour(),
            },
            "matte": {
                "files": os.fspath(shot.matte.sequence.folder / shot.matte.sequence.pattern),
                "channel": shot.matte.channel,
                "invert": job.matte_invert,
                "grow_pixels": job.matte_grow,
                "feather_pixels": job.matte_feather,
            },
            "output": {
                "files": os.fspath(self.output.folder / self.output.pattern),
                "write": self.write.value,
                "layer": job.layer,
                "further_takes": self._further_takes(),
                "contact_sheet": job.contact_sheet,
                "report": job.report,
            },
            "method": {
                "preset": job.preset,
                "seed": job.seed,
                "takes": job.takes,
                "minutes": job.minutes,
                "expected_seconds": self.expected_seconds,
                **described(self.settings),
            },
            "machine": {
                "device": job.device,
                "threads": self.threads,
                "memory": job.memory,
                "cache": None if self.cache_folder is None else os.fspath(self.cache_folder),
                "scratch": os.fspath(self.scratch),
                "events_file": job.events_file,
            },
        }

    def _colour(self) -> dict[str, str | None]:
        """The plate's colour space, the one that is worked in, and the config that knows both."""
        space = self.input_space
        return {
            "input_space": None if space is None else space.name,
            "works_in": None if space is None else space.linear,
            "colour_config": None if space is None else space.config.named(),
        }

    def _further_takes(self) -> list[str]:
        """Layers, or files, of all takes but the first."""
        files = [os.fspath(t.output.folder / t.output.pattern) for t in self.takes[1:]]
        layers = [take.layer for take in self.takes[1:]]
        return files if self.write is WriteMode.MERGED else layers


def prepare(
    job: RenderJob, report: Report | None = None, *, stage: RenderStage = RenderStage.ALL
) -> Plan:
    """Find out and check all that headers, folders and the job itself can tell; write nothing.

    Args:
        job: what is asked for.
        report: hears of what was decided; None for nobody.
        stage: what of the render will be done.

    Raises:
        UsageError: the job asks for something impossible.
        InputError: the plate or the matte cannot be used; names the file.
        StorageError: the output, the cache, the contact sheet or the report cannot be written.
        Cancelled: a stop was asked for meanwhile.
    """
    report = report or Report()
    check_job(job)
    settings = overridden(PRESETS[job.preset], job.settings)
    report.check()
    input_space = None
    if job.input_space is not None:
        opened = open_input_space(job.input_space)
        input_space = opened.space
        for note in opened.notes:
            report.warn(note)
    shot = open_shot(job)
    for note in shot.notes:
        report.warn(note)
    header = shot.header(shot.frames.first)
    write = WriteMode(job.write)
    if not header.format.has_layers and write is not WriteMode.MERGED:
        if write is WriteMode.FILL:
            report.warn(
                f"{header.path} is {header.format.name}, which has no layers: the fill is put into "
                "the picture itself, as with --write merged."
            )
        write = WriteMode.MERGED
    output = output_sequence(job.output, shot.plate, header.format.output_suffix)
    takes = takes_of(job.takes, seed=job.seed, layer=job.layer, output=output, mode=write)
    for take in takes[1:]:
        check_layer_name(take.layer)
        check_layer_is_free(shot, take.layer)
    outputs = [group[0].output for group in by_files(takes)]
    for files in outputs:
        check_not_plate(files, shot.plate, shot.frames)
        check_not_plate(files, shot.matte.sequence, shot.frames, what="matte")
        check_writable(files.folder, what="output folder")
    cache_folder, scratch = _kept_and_passing(job, stage)
    contact_sheet = None
    if job.contact_sheet is not None:
        contact_sheet = Path(job.contact_sheet).expanduser()
        check_file_writable(contact_sheet, what="contact sheet")
        for sequence in (shot.plate, shot.matte.sequence, *outputs):
            _check_apart(contact_sheet, sequence)
    report_folder = None
    if job.report is not None:
        report_folder = Path(job.report).expanduser()
        check_writable(report_folder, what="report folder")
        sequences = (shot.plate, shot.matte.sequence, *outputs)
        check_report_folder(report_folder, [sequence.folder for sequence in sequences])
    return Plan(
        job=job,
        settings=settings,
        shot=shot,
        input_space=input_space,
        takes=takes,
        write=write,
        cache_folder=cache_folder,
        scratch=scratch,
        contact_sheet=contact_sheet,
        report=report_folder,
        threads=job.threads or available_cores(),
        memory=_bytes(job.memory),
    )


def _kept_and_passing(job: RenderJob, stage: RenderStage) -> tuple[Path | None, Path]:
    """(the cache, the scratch folder) of a job.

    A farm's cache lies on a file server, which is no place for what is read all the time: there a
    task's scratch folder is its own machine's. What only writes frames only reads the cache.

    Raises:
        StorageError: one of them cannot be written.
    """
    cache, passing = None, Path(tempfile.gettempdir())
    if job.use_cache:
        cache = Path(job.cache).expanduser() if job.cache else default_folder()
        if stage is RenderStage.ALL:
            passing = cache
        if stage is not RenderStage.WRITE:
            check_writable(cache, what="cache folder")
    if job.scratch is not None:
        passing = Path(job.scratch).expanduser()
        check_writable(passing, what="scratch folder")
    return cache, passing


def _bytes(size: str) -> int:
    """Bytes of a size such as 6G: the job's schema has seen to its form."""
    return int(float(size[:-1]) * {"M": 2**20, "G": 2**30}[size[-1]])


def claim_folders(plan: Plan) -> None:
    """Make every folder that the run will write to, and prove that files can be written there.

    Permissions alone do not tell about a full disk or a share that is gone; better to hear it now
    than after hours of fitting.

    Raises:
        StorageError: a folder cannot be made, or takes no file.
    """
    folders = {take.output.folder: "output folder" for take in plan.takes}
    if plan.cache_folder is not None:
        folders[plan.cache_folder] = "cache folder"
    if plan.contact_sheet is not None:
        folders[plan.contact_sheet.parent] = "folder of the contact sheet"
    if plan.report is not None:
        folders[plan.report] = "report folder"
        folders[plan.report / PICTURES] = "report folder"
    for folder, what in folders.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(bytes(_PROBE_BYTES))
        except OSError as error:
            raise StorageError(
                f"The {what} '{folder}' cannot be written: {error.strerror or error}.",
                remedy="Free some space, change its permissions, or choose another path.",
            ) from error


def check_writable(folder: Path, *, what: str) -> None:
    """See to it that files can be made in `folder`, or `folder` itself where it is missing.

    Raises:
        StorageError: it, or the nearest folder above it that exists, is read-only or no folder.
    """
    there = folder.absolute()
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise StorageError(
            f"The {what} '{folder}' cannot be used: '{there}' is not a folder.",
            remedy="Choose another path.",
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(
            f"The {what} '{folder}' cannot be written: there is no right to write in '{there}', "
            "or its disk is read-only.",
            remedy="Choose another path, or change its permissions.",
        )


def check_file_writable(path: Path, *, what: str) -> None:
    """See to it that `path` can be written as a file.

    Raises:
        StorageError: it is a folder, or the folder it stands in cannot be written.
    """
    if path.is_dir():
        raise StorageError(
            f"The {what} '{path}' is a folder; expected a file.", remedy="Choose another path."
        )
    check_writable(path.parent, what=f"folder of the {what}")


def _check_apart(contact_sheet: Path, sequence: FileSequence) -> None:
    """Raise UsageError when the contact sheet has the name of one of the sequence's files."""
    for frame in sequence.frames or (0,):
        if sequence.path(frame).absolute() == contact_sheet.absolute():
            raise UsageError(
                f"The contact sheet '{contact_sheet}' has the name of a frame.",
                remedy="Choose another path for it.",
            )
