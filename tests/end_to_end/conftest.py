"""Tiny shots of every format, and the real command run over them in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import OpenImageIO as oiio  # noqa: N813  (its own documentation's name for it)
import pytest

HEIGHT, WIDTH = 40, 48
FRAMES = range(1001, 1006)
TINY = (
    *("intervals=2", "steps_per_interval=2", "sampling_steps=2", "channels=8"),
    *("detail_intervals=1", "detail_steps_per_interval=2", "detail_sampling_steps=2"),
    "settling_rounds=1",
    *("coarsest_hole_pixels=6", "crop_pixels=16", "window_frames=4", "context_pixels=12"),
)
"""Settings under which a whole run takes a moment: two intervals at half the size, then one."""

PATIENCE = 120.0  # seconds for anything at all: long before this something is wrong

ZYGOTE = """
import json, os, signal, sys, traceback
from infusion_engine.cli.render import main
import infusion_engine.render
import torch._dynamo  # which torch's optimisers would load later

def become(job):
    for number in (1, 2):
        os.dup2(os.open(job["streams"][number - 1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    left = job["flushes"]
    flush = os.fsync
    def counting(file):
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        flush(file)
    if left is not None:
        os.fsync = counting
    code = 70
    try:
        main(job["arguments"], prog_name="infusion-render")
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    job = json.loads(line)
    if "arguments" in job:
        answer = os.fork() or become(job)
    else:
        answer = os.waitstatus_to_exitcode(os.waitpid(job["pid"], 0)[1])
    print(answer, flush=True)
"""
"""A process that has torch loaded and forks one for each command: loading it takes seconds. On
request it has the new process kill itself (SIGKILL) at its n-th flush to the disk."""


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    code: int
    """Its exit code; -9 when it was killed."""
    events: tuple[dict[str, Any], ...]
    """What it said on stdout."""
    message: str
    """What it said on stderr."""

    def all(self, kind: str, field: str) -> list[Any]:
        """One field of every event of a kind, in their order."""
        return [event[field] for event in self.events if event["event"] == kind]

    @property
    def hits(self) -> list[int]:
        """Intervals taken from the cache."""
        return [e["index"] for e in self._intervals if e["outcome"] == "hit"]

    @property
    def fitted(self) -> list[int]:
        """Intervals fitted by this run."""
        return [e["index"] for e in self._intervals if e["outcome"] == "fitted"]

    @property
    def phases(self) -> set[str]:
        """Every phase that it was in; `inpainting` is fitting and sampling."""
        return set(self.all("progress", "phase"))

    @property
    def warnings(self) -> str:
        """All warnings as one text."""
        return "\n".join(self.all("warning", "message"))

    @property
    def _intervals(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "interval"]


class Run:
    """One process of the command, at work."""

    def __init__(self, folder: Path, pid: int, wait: Callable[[], int]) -> None:
        self.pid = pid
        self._stdout, self._stderr = streams(folder)
        self._wait = wait

    def told(self) -> tuple[dict[str, Any], ...]:
        """The events so far."""
        whole, _, _torn = self._stdout.read_text().rpartition("\n")
        return tuple(json.loads(line) for line in whole.splitlines())

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something to happen while the run goes on; it is looked for all the time."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            ended = [e for e in self.told() if e["event"] in ("finished", "failed")]
            assert not ended, f"the run ended before it happened: {ended}"
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.001)

    def until_told(self, kind: str, **fields: object) -> None:
        """Wait for an event with these fields."""
        asked = {"event": kind, **fields}.items()
        self.until(lambda: any(asked <= event.items() for event in self._comparable()))

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def outcome(self) -> Outcome:
        """Wait for its end."""
        code = self._wait()
        return Outcome(code, self.told(), self._stderr.read_text())

    def killed(self) -> Outcome:
        """Kill it at once, as nothing can prevent."""
        self.send(signal.SIGKILL)
        found = self.outcome()
        assert found.code == -signal.SIGKILL, "it had ended already"
        return found

    def _comparable(self) -> Iterator[dict[str, object]]:
        for event in self.told():
            yield {name: v for name, v in event.items() if not isinstance(v, (dict, list))}


class Zygote:
    """Starts runs without their having to load torch first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[int, bool] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(folder),
        )

    def start(self, *arguments: str, flushes: int | None = None) -> Run:
        """Run the command; `flushes`: how often it may flush a file before it is killed."""
        folder = self.folder / f"run{len(self.started)}"
        folder.mkdir()
        files = [str(path) for path in streams(folder)]
        for path in files:
            Path(path).touch()
        pid = self._ask(arguments=[*arguments, "--events", "json"], streams=files, flushes=flushes)
        self.started[pid] = True
        return Run(folder, pid, partial(self._wait, pid))

    def close(self) -> None:
        """Kill whatever still runs."""
        for pid, is_running in self.started.items():
            if is_running:
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def _wait(self, pid: int) -> int:
        code = self._ask(pid=pid)
        self.started[pid] = False
        return code

    def _ask(self, **request: object) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def streams(folder: Path) -> tuple[Path, Path]:
    """The files that a run's stdout and stderr go to."""
    return folder / "stdout", folder / "stderr"


def environment(folder: Path) -> dict[str, str]:
    """This process's own, with the modules under test, and no user's cache or colours."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "XDG_CACHE_HOME": str(folder / "user-cache"),
        "OCIO": "",  # as good as not set
    }


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Starts runs of the command, `zygote.start(*arguments)`, each a process of its own."""
    found = Zygote(tmp_path_factory.mktemp("runs"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def render(zygote: Zygote) -> Callable[..., Outcome]:
    """Runs the command to its end: `render(*arguments)`."""

    def run(*arguments: str, flushes: int | None = None) -> Outcome:
        return zygote.start(*arguments, flushes=flushes).outcome()

    return run


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts the command as a person does, from nothing: `fresh(*arguments)`; not waited for."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, before: tuple[str, ...] = ()) -> Run:
        folder = tmp_path / f"fresh{len(begun)}"
        folder.mkdir()
        stdout, stderr = streams(folder)
        with stdout.open("wb") as out, stderr.open("wb") as err:
            command = [sys.executable, "-m", "infusion_engine.cli.render"]
            process = subprocess.Popen(
                [*before, *command, *arguments, "--events", "json"],
                stdout=out,
                stderr=err,
                env=environment(tmp_path),
            )
        begun.append(process)
        return Run(folder, process.pid, partial(process.wait, PATIENCE))

    yield start
    for process in begun:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class ShotFiles:
    """A shot on disk."""

    folder: Path
    """Holds `plate/` and `matte/`."""
    plates: dict[int, np.ndarray]
    """(H, W, 3) by frame, in the plate's own type."""
    mattes: dict[int, np.ndarray]
    """(H, W) float32 by frame, 1 = replace."""

    def arguments(self, output: Path, cache: Path, *more: str) -> tuple[str, ...]:
        """The command line that fills it, with tiny settings."""
        return (
            *(str(self.folder / "plate"), "--matte", str(self.folder / "matte")),
            *("--output", str(output), "--cache", str(cache), "--threads", "1"),
            *("--device", "cpu"),
            *(part for setting in TINY for part in ("--set", setting)),
            *more,
        )


def texture(frame: int) -> np.ndarray:
    """(H, W, 3) moving waves with grain, from 0 to 1."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [0.5 + 0.35 * np.sin(x / 4 + y / 9 + frame + colour) for colour in range(3)]
    grain = np.random.default_rng(frame).random((HEIGHT, WIDTH, 3)) * 0.15
    return np.asarray(np.stack(waves, axis=2) + grain - 0.075)


def matte_at(frame: int) -> np.ndarray:
    """(H, W) float32: a hole of 10 x 9 pixels that drifts, its left column half transparent."""
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    left = 18 + frame % 5
    matte[14:23, left : left + 10] = 1.0
    matte[14:23, left] = 0.5
    return matte


def write_exr(path: Path, *parts: OpenEXR.Part) -> Path:
    """An EXR of those parts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    OpenEXR.File(list(parts)).write(str(path))
    return path


def write_picture(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    """(H, W, C) as a picture of the format that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], str(pixels.dtype))
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    output = oiio.ImageOutput.create(str(path))
    assert output is not None, oiio.geterror()
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    assert output.close(), output.geterror()
    return path


@pytest.fixture(scope="session")
def exr_shot() -> Callable[..., ShotFiles]:
    """Writes a plain half EXR shot: `exr_shot(folder, change)`; `change(frame, plate, matte)`."""

    def write(
        folder: Path,
        change: Callable[[int, np.ndarray, np.ndarray], None] | None = None,
        frames: range = FRAMES,
    ) -> ShotFiles:
        plates, mattes = {}, {}
        for frame in frames:
            plates[frame], mattes[frame] = texture(frame).astype(np.float16), matte_at(frame)
            if change is not None:
                with np.errstate(over="ignore"):
                    change(frame, plates[frame], mattes[frame])
            header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
            plate = {name: plates[frame][:, :, c].copy() for c, name in enumerate("RGB")}
            write_exr(folder / f"plate/fire.{frame}.exr", OpenEXR.Part(header, plate, ""))
            matte = {"A": mattes[frame]}
            write_exr(folder / f"matte/hole.{frame}.exr", OpenEXR.Part(dict(header), matte, ""))
        return ShotFiles(folder, plates, mattes)

    return write


@pytest.fixture(scope="session")
def picture_shot() -> Callable[..., ShotFiles]:
    """Writes an integer shot: `picture_shot(folder, suffix, dtype, **attributes)`."""

    def write(folder: Path, suffix: str, dtype: type, **attributes: object) -> ShotFiles:
        plates, mattes = {}, {}
        full = np.iinfo(dtype).max
        for frame in FRAMES:
            plates[frame] = np.rint(np.clip(texture(frame), 0, 1) * full).astype(dtype)
            mattes[frame] = matte_at(frame)
            write_picture(folder / f"plate/fire.{frame}{suffix}", plates[frame], **attributes)
            matte = np.rint(mattes[frame] * 254).astype(np.uint8)[:, :, None]
            write_picture(folder / f"matte/hole.{frame}.png", matte)
        return ShotFiles(folder, plates, mattes)

    return write


@pytest.fixture(scope="session")
def channels() -> Callable[..., dict[str, np.ndarray]]:
    """Reads an EXR with OpenEXR's own reader: `channels(path, part)` by name, (H, W)."""

    def read(path: Path, part: int = 0) -> dict[str, np.ndarray]:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found = file.parts[part].channels
            return {name: np.array(channel.pixels) for name, channel in found.items()}

    return read


@pytest.fixture(scope="session")
def files() -> Callable[[Path], dict[str, bytes]]:
    """Reads every file below a folder, hidden ones too: `files(folder)` by its path in there."""

    def read(folder: Path) -> dict[str, bytes]:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    return read
