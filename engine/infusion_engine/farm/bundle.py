"""Bundle: a folder with all that a scheduler needs of one job, written whole or not at all."""

from __future__ import annotations

import itertools
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from infusion_engine.devices import kind_of
from infusion_engine.errors import Cancelled, InfusionError, LeftToFarm, UsageError
from infusion_engine.farm.division import Division
from infusion_engine.farm.needs import needs_of
from infusion_engine.farm.paths import FarmPath, farm_paths
from infusion_engine.farm.steps import Fits, Step, steps
from infusion_engine.farm.template import (
    JOB_FILE,
    Terms,
    asset_references,
    parameter_values,
    template,
)
from infusion_engine.media.atomic import storage_error, write_bytes
from infusion_engine.plan import Plan
from infusion_node.wire.job import RenderJob

TEMPLATE_FILE = "template.yaml"
PARAMETERS_FILE = "parameter_values.yaml"
ASSETS_FILE = "asset_references.yaml"


@dataclass(frozen=True)
class FarmJob:
    """A job made ready for many machines."""

    plan: Plan
    """What was asked for, checked here."""
    division: Division
    """What it divides into."""
    fits: Fits
    """What its fits start from."""
    paths: tuple[FarmPath, ...]
    """Every path that its tasks are handed."""
    steps: tuple[Step, ...]
    """Its tasks."""

    @property
    def job(self) -> RenderJob:
        """The job that tasks read: as it was resolved here, and without what one task cannot do."""
        by_name = {path.name: path.whole for path in self.paths}
        return replace(
            self.plan.job,
            plate=by_name["Plate"],
            matte=by_name.get("Matte"),
            output=by_name["Output"],
            cache=by_name["Cache"],
            scratch=by_name.get("Scratch"),
            device=kind_of(self.plan.job.device),  # each machine numbers its own
            frames=str(self.plan.shot.frames),
            settings={**self.plan.job.settings, "fits_start": self.fits.start.value},
            contact_sheet=None,
            report=None,
            events_file=None,
        )

    @property
    def cache(self) -> Path:
        """The cache that its tasks share, as this machine calls it."""
        return next(path.folder for path in self.paths if path.name == "Cache")

    @property
    def plan_of_tasks(self) -> Plan:
        """The plan as tasks will find it, for whoever is told of it."""
        settings = replace(self.plan.settings, fits_start=self.fits.start)
        return replace(self.plan, job=self.job, settings=settings)


def farm_job(plan: Plan, division: Division, fits: Fits) -> FarmJob:
    """`plan` made ready.

    Raises:
        UsageError: the job keeps no cache, or wants several devices of one machine.
    """
    if "," in plan.job.device:
        raise UsageError(
            f"The job's device is {plan.job.device}: several of one machine, and a farm's task has "
            "one.",
            remedy="Give --device, such as --device cuda.",
        )
    return FarmJob(plan, division, fits, farm_paths(plan), steps(division, fits))


def write_bundle(farm: FarmJob, folder: Path, terms: Terms) -> None:
    """Write an OpenJD job bundle.

    Raises:
        UsageError: `folder` is there and not empty, or a path is none that OpenJD allows.
        StorageError: it cannot be written; nothing is left of it.
    """
    name = f"Infusion {farm.plan.shot.plate.folder.name} {farm.plan.shot.plate.pattern}"
    ready = [(step, needs_of(farm.plan, farm.division, step.stage)) for step in farm.steps]
    named = parameter_values(farm.paths).items()
    values = [{"name": parameter, "value": value} for parameter, value in named]
    write_folder(
        folder,
        {
            TEMPLATE_FILE: _yaml(template(name, farm.paths, ready, terms)),
            PARAMETERS_FILE: _yaml({"parameterValues": values}),
            ASSETS_FILE: _yaml(asset_references(farm.paths)),
            JOB_FILE: farm.job.to_json(),
        },
    )


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write a new folder of text files, whole or not at all.

    Raises:
        UsageError: there is something by that name already, but an empty folder.
        StorageError: it cannot be written; nothing is left of it.
    """
    check_new(folder)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        for name, text in files.items():
            write_bytes(temporary / name, text.encode())
        if folder.is_dir():
            folder.rmdir()  # empty, as was seen
        temporary.rename(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_new(folder: Path) -> None:
    """See to it that nothing is in the way.

    Raises:
        UsageError: there is a file, or a folder with something in it.
    """
    if not _is_new(folder):
        what = "is not empty" if folder.is_dir() else "is no folder"
        raise UsageError(
            f"'{folder}' is there already and {what}; expected a folder to be made.",
            remedy="Choose another one, or remove it.",
        )


def new_folder(job_file: Path) -> Path:
    """Where a job's bundle goes unless that is said: beside it, `-farm`, else `-farm-2`, ..."""
    first = job_file.with_name(f"{job_file.stem}-farm")
    numbered = (first.with_name(f"{first.name}-{number}") for number in itertools.count(2))
    return next(folder for folder in itertools.chain((first,), numbered) if _is_new(folder))


@contextmanager
def removed_unread(folder: Path) -> Iterator[None]:
    """A folder that nobody was handed, for what goes wrong in the block, does not stay."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def handed_over(folder: Path) -> Iterator[None]:
    """A folder stays, and errors say so: a scheduler that failed may have taken the job before.

    Raises:
        InfusionError: what was raised in the block.
        LeftToFarm: somebody asked to stop.
    """
    left = f"'{folder}' was left, since tasks may read it; another try needs another folder."
    try:
        yield
    except (KeyboardInterrupt, Cancelled):
        raise LeftToFarm("The submission was stopped.", remedy=left) from None
    except InfusionError as error:
        raise type(error)(str(error), remedy=left) from error


def _is_new(folder: Path) -> bool:
    """Whether nothing is there, or an empty folder."""
    if folder.is_dir():
        return not any(folder.iterdir())
    return not (folder.exists() or folder.is_symlink())


def _yaml(values: object) -> str:
    return str(yaml.safe_dump(values, sort_keys=False, width=100))
