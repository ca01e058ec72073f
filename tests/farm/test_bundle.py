"""A bundle is what OpenJD allows, holds every path as a parameter, and is written whole or not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infusion_engine.errors import StorageError, UsageError
from infusion_engine.farm.bundle import FarmJob, write_bundle, write_folder
from infusion_engine.farm.paths import FarmPath, Flow
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.template import Terms, parameter_values
from infusion_node.wire.job import RenderJob

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

TERMS = Terms(frames=2, timeout_seconds=600)
FILES = ["asset_references.yaml", "job.json", "parameter_values.yaml", "template.yaml"]


def bundle(farm: FarmJob, terms: Terms = TERMS) -> Path:
    """A bundle beside the job's plate."""
    folder = farm.paths[0].folder.parent / "bundle"
    write_bundle(farm, folder, terms)
    return folder


def read(path: Path) -> Any:
    """A YAML file's values."""
    return yaml.safe_load(path.read_text())


def openjd(*arguments: object) -> subprocess.CompletedProcess[str]:
    """OpenJD's own command."""
    return subprocess.run(
        [Path(sys.executable).with_name("openjd"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("fits", "changes"),
    [
        (Fits.BASE, {}),
        (Fits.SCRATCH, {"device": "cuda", "takes": 4, "threads": None}),
        (Fits.CHAIN, {"frames": "1003"}),
        (Fits.BASE, {"matte": None, "matte_channel": "A"}),
    ],
    ids=["from a base", "from scratch, on GPUs", "a chain, one frame", "matte in the plate"],
)
def test_openjd_accepts_it(shot: Shot, fits: Fits, changes: dict[str, Any]) -> None:
    """`openjd check` of the template, and `openjd summary` with its own parameters."""
    farm = shot.farm(fits, **changes)
    folder = bundle(farm)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    checked = openjd("check", folder / "template.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    values = {v["name"]: v["value"] for v in read(folder / "parameter_values.yaml")[
        "parameterValues"
    ]}  # fmt: skip
    assert values == parameter_values(farm.paths)
    given = [part for name, value in values.items() for part in ("-p", f"{name}={value}")]
    summary = openjd("summary", folder / "template.yaml", *given, "--output", "json")
    assert summary.returncode == 0, summary.stdout + summary.stderr
    steps = json.loads(summary.stdout)["steps"]
    assert [step["name"] for step in steps] == [step.name for step in farm.steps]


def test_openjd_refuses_a_template_that_is_wrong(shot: Shot) -> None:
    """The check above would notice: a step that waits for one that is not there."""
    folder = bundle(shot.farm())
    template = read(folder / "template.yaml")
    template["steps"][1]["dependencies"] = [{"dependsOn": "Nobody"}]
    (folder / "template.yaml").write_text(yaml.safe_dump(template))
    assert openjd("check", folder / "template.yaml").returncode != 0


def test_frames_below_zero(make_shot: Callable[..., Shot], tmp_path: Path) -> None:
    """A range that crosses 0 is a range to OpenJD too."""
    folder = bundle(make_shot(tmp_path, frames=range(-2, 3)).farm())
    (write,) = [s for s in read(folder / "template.yaml")["steps"] if s["name"] == "Write"]
    (frames,) = write["parameterSpace"]["taskParameterDefinitions"]
    assert frames == {
        "name": "Frames",
        "type": "CHUNK[INT]",
        "range": "-2-2",
        "chunks": {"defaultTaskCount": 2, "rangeConstraint": "CONTIGUOUS"},
    }
    assert openjd("check", folder / "template.yaml").returncode == 0


def test_a_step_in_full(shot: Shot) -> None:
    """What a machine must have, the command line, the timeout, and thirty seconds to end in."""
    farm = shot.farm(device="cuda:1", plate=str(shot.folder / "plate/fire.#.exr"), memory="4G")
    steps = {step["name"]: step for step in read(bundle(farm) / "template.yaml")["steps"]}
    assert steps["Fit"] == {
        "name": "Fit",
        "dependencies": [{"dependsOn": "Prepare"}, {"dependsOn": "Base"}],
        "hostRequirements": {
            "amounts": [
                {"name": "amount.worker.memory", "min": 2049},
                {"name": "amount.worker.vcpu", "min": 1},
                {"name": "amount.worker.gpu", "min": 1},
                {"name": "amount.worker.gpu.memory", "min": 4096},
            ]
        },
        "parameterSpace": {
            "taskParameterDefinitions": [{"name": "Interval", "type": "INT", "range": "1-3"}]
        },
        "script": {
            "actions": {
                "onRun": {
                    "command": "{{Param.Engine}}",
                    "args": [
                        "{{Param.PlateFolder}}/{{Param.PlateFiles}}",
                        *("--matte", "{{Param.MatteFolder}}"),
                        *("--output", "{{Param.OutputFolder}}"),
                        *("--cache", "{{Param.CacheFolder}}"),
                        *("--scratch", "{{Session.WorkingDirectory}}"),
                        *("--job", "{{Param.JobFile}}"),
                        *("--stage", "fit", "--interval", "{{Task.Param.Interval}}"),
                        *("--events", "openjd"),
                    ],
                    "timeout": 600,
                    "cancelation": {
                        "mode": "NOTIFY_THEN_TERMINATE",
                        "notifyPeriodInSeconds": 30,
                    },
                }
            }
        },
    }


def test_no_path_stands_in_the_template(shot: Shot) -> None:
    """Mapping reaches parameters alone: where the files are is said there and in no other place."""
    farm = shot.farm(plate=str(shot.folder / "plate/fire.%04d.exr"))
    folder = bundle(farm)
    assert str(shot.folder) not in (folder / "template.yaml").read_text()
    definitions = read(folder / "template.yaml")["parameterDefinitions"]
    types = {one["name"]: one["type"] for one in definitions}
    assert types == {
        "JobFile": "PATH",
        "PlateFolder": "PATH",
        "PlateFiles": "STRING",
        "MatteFolder": "PATH",
        "OutputFolder": "PATH",
        "CacheFolder": "PATH",
        "Engine": "STRING",
    }
    assets = read(folder / "asset_references.yaml")["assetReferences"]
    assert assets["inputs"]["directories"] == [str(shot.folder / n) for n in ("matte", "plate")]
    assert assets["outputs"]["directories"] == [str(shot.folder / n) for n in ("cache", "out")]


def test_a_scratch_folder_of_its_own_can_be_mapped(shot: Shot) -> None:
    """A path like the others, whose files no scheduler copies; `openjd check` takes it."""
    folder = bundle(shot.farm(scratch=str(shot.folder / "local")))
    template = read(folder / "template.yaml")
    (scratch,) = [p for p in template["parameterDefinitions"] if p["name"] == "ScratchFolder"]
    assert (scratch["type"], scratch["dataFlow"]) == ("PATH", "NONE")
    for step in template["steps"]:
        arguments = step["script"]["actions"]["onRun"]["args"]
        assert arguments[arguments.index("--scratch") + 1] == "{{Param.ScratchFolder}}"
    assert str(shot.folder / "local") not in (folder / "asset_references.yaml").read_text()
    assert RenderJob.from_json((folder / "job.json").read_text()).scratch is not None
    assert openjd("check", folder / "template.yaml").returncode == 0


def test_the_job_is_what_every_task_can_do(shot: Shot) -> None:
    """Frames are fixed, the start of fits is said, and nothing is left that no task can do."""
    farm = shot.farm(
        Fits.SCRATCH,
        contact_sheet=str(shot.folder / "sheet.png"),
        report=str(shot.folder / "report"),
        events_file=str(shot.folder / "events"),
        takes=2,
    )
    job = RenderJob.from_json((bundle(farm) / "job.json").read_text())
    assert (job.contact_sheet, job.report, job.events_file) == (None, None, None)
    assert (job.frames, job.takes) == ("1001-1005", 2)
    assert job.settings == {**shot.job().settings, "fits_start": "scratch"}


def test_several_devices_are_one_machines(shot: Shot) -> None:
    """A task of a farm has one device."""
    with pytest.raises(UsageError, match="cpu,cpu: several of one machine"):
        shot.farm(device="cpu,cpu")


def test_what_openjd_cannot_hold_is_refused(shot: Shot) -> None:
    """Too long, or no text: said with the path, and nothing is written."""

    def values(folder: str) -> dict[str, str]:
        return parameter_values([FarmPath("Plate", None, Path(folder), None, Flow.IN, "")])

    assert values("/" + "a" * 1023)
    with pytest.raises(UsageError, match="1025 characters"):
        values("/" + "a" * 1024)
    with pytest.raises(UsageError, match="no text"):
        values("/plate\udcff")


def test_a_folder_that_is_in_use_stays(shot: Shot) -> None:
    """Whatever is there already is left as it is; an empty folder is taken."""
    farm = shot.farm()
    (shot.folder / "bundle").mkdir()
    folder = bundle(farm)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match="is not empty"):
        bundle(farm)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(UsageError, match="is no folder"):
        write_bundle(farm, folder / "job.json", TERMS)


def test_nothing_is_left_of_what_could_not_be_written(shot: Shot) -> None:
    """A folder cannot stand below a file; a second file that fails takes the first along."""
    (shot.folder / "file").touch()
    with pytest.raises(StorageError, match="Not a directory"):
        write_bundle(shot.farm(), shot.folder / "file/bundle", TERMS)
    before = sorted(shot.folder.iterdir())
    with pytest.raises(StorageError):
        write_folder(shot.folder / "new", {"one": "1", "one/two": "2"})
    assert sorted(shot.folder.iterdir()) == before
