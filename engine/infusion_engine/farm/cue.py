"""Cue: a job's steps as an OpenCue outline, through pyoutline (the extra `opencue`)."""

from __future__ import annotations

import re
import secrets
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infusion_engine.errors import UsageError
from infusion_engine.farm.bundle import FarmJob, handed_over, removed_unread, write_folder
from infusion_engine.farm.needs import Needs, needs_of
from infusion_engine.farm.steps import Counted, Step
from infusion_engine.farm.template import JOB_FILE, Terms

SPEC_FILE = "spec.xml"
_TOKENS = {Counted.FRAMES: "#FRAME_START#-#FRAME_END#"}
"""What Cuebot replaces when it hands a task out."""
_TOKEN = "#IFRAME#"  # noqa: S105 - no secret


@dataclass(frozen=True)
class Show:
    """Where a job stands in OpenCue."""

    show: str | None
    """A show that Cuebot knows; None for the one of pyoutline's own configuration."""
    shot: str | None
    """A shot's name; None likewise."""
    sign: str = field(default_factory=lambda: secrets.token_hex(3))
    """Ends the job's name: Cuebot refuses a second one of a name while the first is pending."""


def write_spec(farm: FarmJob, folder: Path, terms: Terms, where: Show) -> None:
    """Write a new folder with the job, and with the spec that Cuebot is sent.

    Raises:
        UsageError: pyoutline is not installed, or `folder` is there and not empty.
        StorageError: the folder cannot be written; nothing is left of it.
    """
    with _launcher(farm, folder, terms, where) as launcher:
        spec = str(launcher.serialize(use_pycuerun=False))
    write_folder(folder, {JOB_FILE: farm.job.to_json(), SPEC_FILE: spec + "\n"})


def launch(farm: FarmJob, folder: Path, terms: Terms, where: Show) -> str:
    """Send the job of a folder that `write_spec` wrote to Cuebot; its name there.

    Raises:
        UsageError: Cuebot cannot be reached, and the folder is gone; or it refuses the job.
        Cancelled: somebody asked to stop.
    """
    with _launcher(farm, folder, terms, where) as launcher:
        with removed_unread(folder), _refusals("Name a Cuebot that answers, in CUEBOT_HOSTS."):
            _reach_cuebot(launcher)
        unknown = "If it knows no such show or shot, name others with --show and --shot."
        with handed_over(folder), _refusals(unknown):
            (job,) = launcher.launch(use_pycuerun=False)
        return str(job.data.name)


def check_pyoutline() -> None:
    """See to it that pyoutline is there.

    Raises:
        UsageError: it is not.
    """
    try:
        import outline.cuerun  # noqa: F401, PLC0415 - an extra, which reads files as it is loaded
    except ImportError as error:
        raise UsageError(
            f"OpenCue needs pyoutline, which cannot be loaded: {error}.",
            remedy="pip install 'infusion-inpaint[opencue]'.",
        ) from None


def _reach_cuebot(launcher: Any) -> None:
    """Connect to Cuebot, where that is who takes the job, and hand it nothing yet."""
    if launcher.get("backend") == "cue":
        import opencue  # noqa: PLC0415 - comes with pyoutline

        opencue.Cuebot.getStub("cue")


@contextmanager
def _refusals(remedy: str) -> Iterator[None]:
    """Whatever is raised, as an error of ours with that remedy.

    Raises:
        UsageError: what was said.
    """
    try:
        yield
    except Exception as error:
        # OpenCue's own errors, gRPC's and those of the network have nothing else in common.
        said = str(error).strip().rstrip(".") or type(error).__name__
        raise UsageError(f"OpenCue did not take the job: {said}.", remedy=remedy) from error


@contextmanager
def _launcher(farm: FarmJob, folder: Path, terms: Terms, where: Show) -> Iterator[Any]:
    """The launcher, as pyoutline has it, of the whole job.

    It writes a session for tasks that begin with its own command; ours do not, so that it goes.
    """
    check_pyoutline()
    import outline.cuerun  # noqa: PLC0415 - an extra, which reads files as it is loaded
    from outline.modules.shell import Shell  # noqa: PLC0415

    sessions = outline.config.get("outline", "session_dir", raw=True)
    with tempfile.TemporaryDirectory(prefix="infusion-outline-") as scratch:
        outline.config.set("outline", "session_dir", scratch.replace("%", "%%"))
        try:
            job = outline.Outline(_name(farm, where), show=where.show, shot=where.shot)
            layers: dict[str, Any] = {}
            for step in farm.steps:
                needs = needs_of(farm.plan, farm.division, step.stage)
                layer = Shell(step.name, **_layer(farm, step, needs, folder, terms))
                for name in step.after:
                    layer.depend_all(layers[name])
                layers[step.name] = layer
                job.add_layer(layer)
            yield outline.cuerun.OutlineLauncher(job, nomail=True)
        finally:
            outline.config.set("outline", "session_dir", sessions)


def _layer(farm: FarmJob, step: Step, needs: Needs, folder: Path, terms: Terms) -> dict[str, Any]:
    """One step's arguments for pyoutline."""
    found: dict[str, Any] = {
        "command": [shlex.join(_command(farm, step, folder, terms.engine))],
        "range": f"{step.first}-{step.last}",
        "chunk": terms.frames if step.counted is Counted.FRAMES else 1,
        "memory": f"{needs.memory}m",
    }
    if needs.cores is not None:
        found["cores"] = needs.cores
    if needs.gpus:
        found |= {"gpus": needs.gpus, "gpu_memory": f"{needs.gpu_memory}m"}
    return found


def _command(farm: FarmJob, step: Step, folder: Path, engine: str) -> list[str]:
    """The command line of a step's tasks; every machine sees the same paths."""
    paths = [part for path in farm.paths for part in (path.flag, path.whole) if part is not None]
    number = _TOKENS.get(step.counted, _TOKEN)
    return [
        *(engine, *paths, "--job", str(folder.absolute() / JOB_FILE)),
        *(*step.arguments(number), "--events", "plain"),
    ]


def _name(farm: FarmJob, where: Show) -> str:
    """A name as Cuebot allows it: letters, digits, and a few signs."""
    plate = farm.plan.shot.plate
    name = f"infusion_{plate.folder.name}_{plate.prefix}_{where.sign}"
    return re.sub(r"[^A-Za-z0-9]+", "_", name)
