"""A bundle run for real: task after task, by one worker or two, the bits of one whole render."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_engine.farm.bundle import FarmJob, write_bundle
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.template import Terms, parameter_values
from tests.farm.conftest import TINY

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

COMMANDS = Path(sys.executable).parent
FRAMES = range(1001, 1005)
PATIENCE = 280.0  # seconds for anything at all: before the test itself would be ended


def environment(folder: Path) -> dict[str, str]:
    """No user's cache or colours."""
    return {**os.environ, "XDG_CACHE_HOME": str(folder / "user-cache"), "OCIO": ""}


def begun(farm: FarmJob, bundle: Path, *arguments: str, **values: str) -> subprocess.Popen[str]:
    """`openjd run` at work, a worker of its own."""
    given = {**parameter_values(farm.paths), "Engine": str(COMMANDS / "infusion-render"), **values}
    return subprocess.Popen(
        [
            *(str(COMMANDS / "openjd"), "run", str(bundle / "template.yaml")),
            *(part for name, value in given.items() for part in ("-p", f"{name}={value}")),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(bundle.parent),
    )


def at_work(folder: Path) -> list[str]:
    """The command lines of all engines that are told of a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [line] if f"{COMMANDS}/infusion-render" in line and str(folder) in line else []
    return found


def until(happened: Callable[[], bool]) -> None:
    """Return once something has happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def said(worker: subprocess.Popen[str]) -> str:
    """What a worker said until it was done."""
    text, _ = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, text
    return text


def ran(farm: FarmJob, bundle: Path, *arguments: str, **values: str) -> str:
    """What one worker said that did as much as `arguments` say."""
    return said(begun(farm, bundle, *arguments, **values))


def whole_render(bundle: Path, output: Path, cache: Path) -> None:
    """The bundle's job in one process."""
    subprocess.run(
        [
            *(COMMANDS / "infusion-render", "--job", bundle / "job.json", "--stage", "all"),
            *("--output", output, "--cache", cache),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
        env=environment(bundle.parent),
    )


def frames(folder: Path) -> Mapping[str, bytes]:
    """Every file of a result, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(cache: Path) -> set[str]:
    """Keys of all fits and samples."""
    return {path.parent.name for path in cache.glob("[fs]*s/*/record.json")}


@pytest.fixture
def bundle(make_shot: Callable[..., Shot], tmp_path: Path) -> tuple[FarmJob, Path]:
    """A job of four frames and two sizes, and its bundle; frames are written two by two."""
    farm = make_shot(tmp_path, FRAMES).farm(Fits.BASE)
    write_bundle(farm, tmp_path / "bundle", Terms(frames=2, timeout_seconds=300))
    return farm, tmp_path / "bundle"


@pytest.mark.slow
def test_one_worker_ends_with_the_bits_of_a_whole_render(
    make_shot: Callable[..., Shot], tmp_path: Path
) -> None:
    """`infusion-farm submit --to openjd` runs every task; progress is OpenJD's own, events ours."""
    shot, folder = make_shot(tmp_path, FRAMES, hole=3), tmp_path / "bundle"
    where = ("--bundle", folder, "--to", "openjd", "--chunk", "2")
    events = tmp_path / "events.ndjson"
    waits = ("--wait", "--events", "none", "--events-file", events)
    run = subprocess.run(
        [COMMANDS / "infusion-farm", "submit", "--job", shot.job_file(), *where, *waits],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=environment(tmp_path),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("Running Task") == 7
    assert run.stdout.count("openjd_progress: 100.0") >= 4
    assert "openjd_fail" not in run.stdout
    assert "\x1b" not in run.stdout
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [event["frame"] for event in told if event["event"] == "frame"] == list(FRAMES)
    assert (told[-1]["event"], told[-1]["frames"]) == ("finished", len(FRAMES))

    whole_render(folder, tmp_path / "whole", tmp_path / "own")
    assert len(frames(tmp_path / "out")) == len(FRAMES)
    assert frames(tmp_path / "out") == frames(tmp_path / "whole")
    assert kept(tmp_path / "cache") == kept(tmp_path / "own")


@pytest.mark.slow
def test_stopping_it_ends_the_task(make_shot: Callable[..., Shot], tmp_path: Path) -> None:
    """OpenJD's tasks have a session of their own: one that went on would keep the device."""
    shot = make_shot(tmp_path, FRAMES)
    job = shot.job_file(settings={**TINY, "steps_per_interval": "100000"})
    command = subprocess.Popen(
        [
            *(COMMANDS / "infusion-farm", "submit", "--wait", "--to", "openjd", "--job", job),
            *("--events", "none", "--bundle", tmp_path / "bundle"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    until(lambda: any("--stage base" in line for line in at_work(tmp_path)))
    command.send_signal(signal.SIGTERM)
    _, errors = command.communicate(timeout=PATIENCE)
    assert command.returncode == 130
    assert "The submission was stopped" in errors
    until(lambda: at_work(tmp_path) == [])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_workers_share_the_fits(bundle: tuple[FarmJob, Path], tmp_path: Path) -> None:
    """Each does some of them, from the last to the first, one both; the bits are the same."""
    farm, folder = bundle
    ran(farm, folder, "--step", "Base", "--run-dependencies")
    shares = [[3, 1], [2, 1]]
    workers = [
        begun(farm, folder, "--step", "Fit", "--no-run-dependencies", "--tasks", tasks)
        for tasks in (json.dumps([{"Interval": str(n)} for n in share]) for share in shares)
    ]
    for share, text in zip(shares, [said(worker) for worker in workers], strict=True):
        assert text.count("Running Task") == len(share)
    for step in ("Sample", "Write"):
        ran(farm, folder, "--step", step, "--no-run-dependencies")

    whole_render(folder, tmp_path / "whole", tmp_path / "own")
    assert frames(tmp_path / "out") == frames(tmp_path / "whole")
    assert kept(tmp_path / "cache") == kept(tmp_path / "own")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mapped_paths_are_the_ones_used(bundle: tuple[FarmJob, Path], tmp_path: Path) -> None:
    """A worker that sees the same files elsewhere: nothing is read or written where they were."""
    farm, folder = bundle
    there = tmp_path / "mounted"
    there.mkdir()
    for name in ("plate", "matte"):
        (tmp_path / name).rename(there / name)
    rules = {
        "version": "pathmapping-1.0",
        "path_mapping_rules": [
            {
                "source_path_format": "POSIX",
                "source_path": str(tmp_path / name),
                "destination_path": str(there / name),
            }
            for name in ("plate", "matte", "out", "cache")
        ],
    }
    mapping = ("--path-mapping-rules", json.dumps(rules))
    ran(farm, folder, "--step", "Write", "--run-dependencies", *mapping)
    assert len(frames(there / "out")) == len(FRAMES)
    assert (there / "cache/fits").is_dir()
    assert not any((tmp_path / name).exists() for name in ("plate", "matte", "out", "cache"))


@pytest.mark.slow
def test_a_task_that_fails_fails_the_job(bundle: tuple[FarmJob, Path], tmp_path: Path) -> None:
    """A fit without a prepared clip says what is missing, by OpenJD's own word, and stops it."""
    farm, folder = bundle
    worker = begun(farm, folder, "--step", "Fit", "--no-run-dependencies")
    text, _ = worker.communicate(timeout=PATIENCE)
    assert worker.returncode != 0
    assert "openjd_fail: " in text
    assert "--stage prepare" in text
    assert "exited with code: 5" in text
