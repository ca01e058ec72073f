"""Plan: what a job resolves to, and what it is refused for before any work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from PIL import Image

from infusion_engine.cache.store import default_folder
from infusion_engine.cores import available_cores
from infusion_engine.errors import Cancelled, SequenceError, StorageError, UsageError
from infusion_engine.media.layer import WriteMode
from infusion_engine.plan import (
    check_writable,
    claim_folders,
    prepare,
)
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS
from infusion_node.wire.events import Event, Warned
from infusion_node.wire.job import RenderJob

FRAMES = (1001, 1002, 1003)


class Listener:
    """A sink that remembers what it heard."""

    name = "the listener"
    seconds_between = 0.0

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def write(self, event: Event, *, time: float) -> None:
        self.heard.append(event)

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def png_job(tmp_path: Path) -> RenderJob:
    """A job on three grey PNG frames with a matte of their own."""
    for frame in FRAMES:
        for name, mode in (("plate", "RGB"), ("matte", "L")):
            path = tmp_path / name / f"{name}.{frame}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new(mode, (24, 16), "grey").save(path)
    return RenderJob(
        plate=str(tmp_path / "plate"),
        matte=str(tmp_path / "matte"),
        output=str(tmp_path / "out"),
        cache=str(tmp_path / "cache"),
    )


@pytest.fixture
def exr_job(tmp_path: Path) -> RenderJob:
    """A job on three half-float EXR frames whose matte is their alpha."""
    for frame in FRAMES:
        path = tmp_path / "exr" / f"fire.{frame}.exr"
        path.parent.mkdir(exist_ok=True)
        image = oiio.ImageOutput.create(str(path))
        assert image is not None
        assert image.open(str(path), oiio.ImageSpec(24, 16, 4, oiio.HALF))
        assert image.write_image(np.full((16, 24, 4), 0.5, np.float32))
        image.close()
    return RenderJob(
        plate=str(tmp_path / "exr"), output=str(tmp_path / "out"), cache=str(tmp_path / "cache")
    )


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody but root may write to."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def _tree(folder: Path) -> list[str]:
    """Everything in a folder, by name."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_job_on_exr_resolves(exr_job: RenderJob, tmp_path: Path) -> None:
    """A folder as output keeps the plate's own names, and the layer is added to the file."""
    plan = prepare(exr_job)

    assert [plan.output.path(frame) for frame in plan.shot.frames] == [
        tmp_path / "out" / f"fire.{frame}.exr" for frame in FRAMES
    ]
    assert plan.write is WriteMode.LAYER
    assert plan.settings == PRESETS["draft"]
    assert plan.cache_folder == tmp_path / "cache"
    assert plan.threads == available_cores()


def test_a_format_without_layers_is_merged(png_job: RenderJob) -> None:
    """A PNG holds no layer: the fill goes into the picture itself, and that is no warning."""
    listener = Listener()

    assert prepare(png_job, Report(listener)).write is WriteMode.MERGED
    assert listener.heard == []


def test_a_fill_alone_that_cannot_be_is_said(png_job: RenderJob) -> None:
    """Who asks for the layer alone and gets a merged picture is told so."""
    listener = Listener()

    plan = prepare(png_job.overridden(write="fill"), Report(listener))

    assert plan.write is WriteMode.MERGED
    assert isinstance(listener.heard[0], Warned)
    assert "no layers" in listener.heard[0].message


def test_takes_are_layers_side_by_side(exr_job: RenderJob) -> None:
    """One file holds them all, numbered from the second on, each with the next seed."""
    plan = prepare(exr_job.overridden(takes=3, seed=5, layer="fire", write="fill"))

    assert [take.layer for take in plan.takes] == ["fire", "fire2", "fire3"]
    assert [take.seed for take in plan.takes] == [5, 6, 7]
    assert {take.output for take in plan.takes} == {plan.output}
    assert plan.described()["output"]["further_takes"] == ["fire2", "fire3"]


@pytest.mark.parametrize("write", ["layer", "merged"])
def test_merged_takes_have_folders(png_job: RenderJob, tmp_path: Path, write: str) -> None:
    """A file that holds one fill is written once for each take, beside the first one's files."""
    plan = prepare(png_job.overridden(takes=3, write=write, output=f"{tmp_path}/out/f.####.png"))

    folders = ["out", "out/take2", "out/take3"]
    assert [take.output.path(1001) for take in plan.takes] == [
        tmp_path / folder / "f.1001.png" for folder in folders
    ]
    assert {take.layer for take in plan.takes} == {"infusion"}
    claim_folders(plan)
    assert all((tmp_path / folder).is_dir() for folder in folders)


@pytest.mark.parametrize("what", ["plate", "matte"])
def test_a_take_on_the_plate_or_the_matte_is_refused(
    png_job: RenderJob, tmp_path: Path, what: str
) -> None:
    """Also where only a further take's folder is the plate's own."""
    Path(tmp_path / what).rename(tmp_path / "take2")
    job = png_job.overridden(**{what: str(tmp_path / "take2")})
    output = f"{tmp_path}/{what}.%04d.png"

    assert prepare(job.overridden(output=output)).output.folder == tmp_path
    with pytest.raises(UsageError, match=f"overwrite the {what}"):
        prepare(job.overridden(output=output, takes=2))


def test_a_contact_sheet_on_a_take_is_refused(png_job: RenderJob, tmp_path: Path) -> None:
    """It takes the place of no take's frame."""
    sheet = str(tmp_path / "out" / "take2" / "plate.1001.png")

    assert prepare(png_job.overridden(contact_sheet=sheet)).contact_sheet == Path(sheet)
    with pytest.raises(UsageError, match="contact sheet"):
        prepare(png_job.overridden(contact_sheet=sheet, takes=2))


def test_a_take_s_layer_replaces_neither_matte_nor_colour(tmp_path: Path) -> None:
    """A plate whose matte lies in `fire2.A` can have one take called `fire`, and not two."""
    path = tmp_path / "plate" / "p.1.exr"
    path.parent.mkdir()
    spec = oiio.ImageSpec(8, 8, 4, oiio.HALF)
    spec.channelnames = ("R", "G", "B", "fire2.A")
    image = oiio.ImageOutput.create(str(path))
    assert image is not None
    assert image.open(str(path), spec)
    assert image.write_image(np.full((8, 8, 4), 0.5, np.float32))
    image.close()
    job = RenderJob(
        str(path), str(tmp_path / "out"), matte_channel="fire2.A", layer="fire", use_cache=False
    )

    assert prepare(job).takes[0].layer == "fire"
    with pytest.raises(UsageError, match="layer 'fire2' is where the plate's matte lies"):
        prepare(job.overridden(takes=2))


def test_settings_replace_numbers_of_the_preset(png_job: RenderJob) -> None:
    """What `--set` gives stands in the plan, and the rest is the preset's."""
    job = png_job.overridden(preset="paper", settings={"working_size": "96x64", "batch": "2"})

    settings = prepare(job).settings

    assert settings.working_size == (96, 64)
    assert settings.batch == 2
    assert settings.steps_per_interval == PRESETS["paper"].steps_per_interval


def test_without_a_cache_there_is_no_folder(png_job: RenderJob) -> None:
    """`use_cache` off wins over the folder that stands beside it."""
    assert prepare(png_job.overridden(use_cache=False)).cache_folder is None


def test_the_users_own_cache_is_the_default(
    png_job: RenderJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder the cache goes where the system keeps caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))

    assert prepare(png_job.overridden(cache=None)).cache_folder == default_folder()


def test_what_is_described_is_json_and_whole(exr_job: RenderJob) -> None:
    """The description survives JSON and tells every number behind the preset."""
    described = prepare(exr_job.overridden(frames="1002-1003", seed=5)).described()

    assert json.loads(json.dumps(described)) == described
    assert described["plate"]["frames"] == "1002-1003"
    assert described["plate"]["files"].endswith("fire.%04d.exr")
    assert described["matte"]["channel"] == "A"
    assert described["method"]["seed"] == 5
    assert set(described["method"]) >= {"steps_per_interval", "learning_rate", "working_size"}
    assert described["machine"]["device"] == "auto"


def test_preparing_writes_nothing(exr_job: RenderJob, tmp_path: Path) -> None:
    """Neither output, nor cache, nor the contact sheet's folder comes into being."""
    before = _tree(tmp_path)

    prepare(
        exr_job.overridden(contact_sheet=str(tmp_path / "s" / "a.png"), report=str(tmp_path / "r"))
    )

    assert _tree(tmp_path) == before


def test_preparing_needs_no_torch(exr_job: RenderJob, tmp_path: Path) -> None:
    """A whole job is checked in an interpreter that never loads torch."""
    (tmp_path / "job.json").write_text(exr_job.to_json())
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from infusion_engine.job_schema import read_job\n"
        "from infusion_engine.plan import prepare\n"
        "print(prepare(read_job(Path(sys.argv[1]))).threads, 'torch' in sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "job.json")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split() == [str(available_cores()), "False"]


def test_an_output_on_the_plate_is_refused(exr_job: RenderJob) -> None:
    """The plate is never written to, however its folder is spelled."""
    folder = Path(exr_job.plate)

    with pytest.raises(UsageError, match="overwrite the plate"):
        prepare(exr_job.overridden(output=str(folder / ".." / folder.name)))


def test_an_output_on_the_matte_is_refused(png_job: RenderJob) -> None:
    """Nor is the matte."""
    with pytest.raises(UsageError, match="overwrite the matte"):
        prepare(png_job.overridden(output=f"{png_job.matte}/matte.%04d.png"))


@pytest.mark.parametrize("name", ["exr/fire.1002.exr.png", "out/fire.1002.png"])
def test_a_contact_sheet_beside_frames_is_no_frame(
    exr_job: RenderJob, tmp_path: Path, name: str
) -> None:
    """A sheet of another name may stand beside the frames."""
    sheet = tmp_path / name

    assert prepare(exr_job.overridden(contact_sheet=str(sheet))).contact_sheet == sheet


@pytest.mark.parametrize(
    "name", ["plate/plate.1002.png", "matte/matte.1002.png", "out/plate.1001.png"]
)
def test_a_contact_sheet_on_a_frame_is_refused(
    png_job: RenderJob, tmp_path: Path, name: str
) -> None:
    """The sheet takes the place of no frame: not of the plate, the matte or the result."""
    with pytest.raises(UsageError, match="contact sheet"):
        prepare(png_job.overridden(contact_sheet=str(tmp_path / name)))


def test_a_report_among_frames_is_refused(exr_job: RenderJob, tmp_path: Path) -> None:
    """Its pictures would lie beside the frames of the result, and could take their names."""
    job = exr_job.overridden(output=str(tmp_path / "pictures"), report=str(tmp_path))

    with pytest.raises(UsageError, match="among frames"):
        prepare(job)


def test_a_report_among_a_further_take_s_frames_is_refused(
    exr_job: RenderJob, tmp_path: Path
) -> None:
    """By whatever name the take's folder leads to the report's pictures."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "take2").symlink_to(tmp_path / "pictures")
    job = exr_job.overridden(
        output=str(tmp_path / "out"), report=str(tmp_path), takes=2, write="merged"
    )
    with pytest.raises(UsageError, match="among frames"):
        prepare(job)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("output", "a/b.%04d.exr"),
        ("output", ""),
        ("cache", "a"),
        ("contact_sheet", "a/b.png"),
        ("report", ""),
    ],
)
def test_a_file_in_the_way_is_found_now(
    exr_job: RenderJob, tmp_path: Path, field: str, name: str
) -> None:
    """A path that leads through a file is refused by name, before any work."""
    (tmp_path / "file").write_text("I am no folder.")

    with pytest.raises(StorageError, match="file' is not a folder"):
        prepare(exr_job.overridden(**{field: str(tmp_path / "file" / name)}))


def test_a_contact_sheet_that_is_a_folder_is_refused(exr_job: RenderJob, tmp_path: Path) -> None:
    """A folder cannot be replaced by a picture."""
    (tmp_path / "sheet.png").mkdir()

    with pytest.raises(StorageError, match="is a folder"):
        prepare(exr_job.overridden(contact_sheet=str(tmp_path / "sheet.png")))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_found_now(locked: Path) -> None:
    """A folder that may not be written to is refused, also for what would stand below it."""
    with pytest.raises(StorageError, match="no right"):
        check_writable(locked / "a" / "b", what="cache folder")


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="needs a file system that takes no file"
)
def test_a_folder_that_takes_no_file_is_found_before_work(exr_job: RenderJob) -> None:
    """Where permissions say yes and the file system says no, claiming the folders tells."""
    plan = prepare(exr_job.overridden(output="/proc/self/fd/fire.%04d.exr"))

    with pytest.raises(StorageError, match="output folder '/proc/self/fd'"):
        claim_folders(plan)


def test_claimed_folders_are_empty(exr_job: RenderJob, tmp_path: Path) -> None:
    """Claiming makes the folders and leaves nothing in them."""
    before = _tree(tmp_path)

    sheet, report = str(tmp_path / "review" / "a.png"), str(tmp_path / "r")
    claim_folders(prepare(exr_job.overridden(contact_sheet=sheet, report=report)))

    assert _tree(tmp_path) == sorted([*before, "cache", "out", "review", "r", "r/pictures"])


def test_missing_frames_are_refused(exr_job: RenderJob) -> None:
    """Frames that are asked for and do not exist end the preparation."""
    with pytest.raises(SequenceError, match="1004"):
        prepare(exr_job.overridden(frames="1002-1004"))


def test_values_beyond_their_limits_are_refused_before_any_file(tmp_path: Path) -> None:
    """The job itself is held against its limits first: the plate need not exist for that."""
    job = RenderJob(plate=str(tmp_path / "nowhere"), output="o", matte_grow=-1.0)

    with pytest.raises(UsageError, match="--matte-grow"):
        prepare(job)


def test_a_stop_is_noticed_while_preparing(exr_job: RenderJob) -> None:
    """Headers of a long shot take their time, and Ctrl-C counts meanwhile."""
    report = Report()
    report.stop.ask("SIGINT")

    with pytest.raises(Cancelled):
        prepare(exr_job, report)
