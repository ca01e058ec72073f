"""The node driven from plain Python against the real engine: done, killed, cancelled, found."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from infusion_hosts.script_host import FilesHost, run_to_end, wait
from infusion_node.errors import NodeError
from infusion_node.frame_range import FrameRange
from infusion_node.host import Clip
from infusion_node.node import InfusionNode
from infusion_node.status import State, Status

PATIENCE = 120.0  # seconds for anything at all: long before this something is wrong
FRAMES = range(1001, 1004)
COMMAND = Path(sys.executable).parent / "infusion-render"
QUICK = (
    "settling_rounds=1 intervals=2 steps_per_interval=2 sampling_steps=2 channels=8 window_frames=3"
)
LONG = "intervals=2 steps_per_interval=100000 sampling_steps=2 channels=8 window_frames=3"


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small half-float frames in `plate`, and a still matte."""
    folder = tmp_path_factory.mktemp("footage")
    for name in ("plate", "matte"):
        (folder / name).mkdir()
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
    y, x = np.mgrid[0:32, 0:40]
    for frame in FRAMES:
        waves = [(1.5 + np.sin(x / 4 + y / 7 + frame + c)).astype(np.float16) for c in range(3)]
        plate = OpenEXR.Part(dict(header), dict(zip("RGB", waves, strict=True)), "")
        OpenEXR.File([plate]).write(str(folder / f"plate/fire.{frame}.exr"))
    matte = np.zeros((32, 40), np.float32)
    matte[12:20, 14:24] = 1
    still = OpenEXR.Part(dict(header), {"A": matte}, "")
    OpenEXR.File([still]).write(str(folder / "matte/hole.exr"))
    return folder


@pytest.fixture
def host(footage: Path, tmp_path: Path) -> FilesHost:
    """The footage, and a folder for the node."""
    return FilesHost(
        plate=footage / "plate" / "fire.%04d.exr",
        matte=footage / "matte" / "hole.exr",
        frames=FrameRange(FRAMES[0], FRAMES[-1]),
        folder=tmp_path / "work",
    )


@pytest.fixture
def shown(tmp_path: Path) -> dict[str, object]:
    """What a panel holds for a run that takes a moment."""
    cache = str(tmp_path / "cache")
    return {"engine": str(COMMAND), "settings": QUICK, "threads": 1, "device": "cpu",
            "cache": cache}  # fmt: skip


@pytest.fixture
def node(host: FilesHost) -> Iterator[InfusionNode]:
    """A node whose engine is stopped when the test is over."""
    made = InfusionNode(host)
    yield made
    made.cancel()
    wait(made)


def pixels(path: Path) -> dict[str, np.ndarray]:
    """The channels of a frame, (H, W) each."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: np.array(c.pixels) for name, c in file.parts[0].channels.items()}


def until_fitting(node: InfusionNode) -> Status:
    """Poll until the engine fits."""
    deadline = time.monotonic() + PATIENCE
    while not (status := node.poll()).line.startswith("Inpainting"):
        assert time.monotonic() < deadline, status
        assert status.state.is_working, status
        time.sleep(0.05)
    return status


def test_a_script_gets_its_layer(
    node: InfusionNode, host: FilesHost, shown: dict[str, object]
) -> None:
    """Ten lines of Python end with frames that hold the plate's bits and the new layer."""
    told: list[Status] = []
    status = run_to_end(node, shown, told.append)

    assert (status.state, status.layers, status.warnings) == (State.DONE, ("infusion",), ())
    assert status.result == str(host.workspace() / "runs/0001/result/fire.%04d.exr")
    assert status.preview is not None
    assert Path(status.preview).exists()
    for frame in FRAMES:
        plate = pixels(Path(str(host.plate) % frame))
        result = pixels(Path(status.result % frame))
        outside = result["infusion.A"] == 0
        for name in "RGB":
            assert np.array_equal(result[name], plate[name])
            assert np.array_equal(result[f"infusion.{name}"][outside], plate[name][outside])
    assert {one.state for one in told} == {State.RUNNING, State.DONE}


def test_an_engine_that_is_killed_is_a_failure_and_the_next_run_goes_on(
    node: InfusionNode, host: FilesHost, shown: dict[str, object]
) -> None:
    """It ends in a failed state with a remedy; pressing again gives the result."""
    for _ in node.inpaint({**shown, "settings": LONG}):
        pass
    pid = until_fitting(node).engine_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    status = wait(node)
    assert (status.state, status.line) == (
        State.FAILED, "The engine ended by signal 9 without a last word.",
    )  # fmt: skip
    assert status.remedy

    assert run_to_end(node, shown).state is State.DONE


def test_cancelling_leaves_nothing_half_done(
    node: InfusionNode, host: FilesHost, shown: dict[str, object]
) -> None:
    """The engine stops, no frame is there, and the node can go on."""
    for _ in node.inpaint({**shown, "settings": LONG}):
        pass
    until_fitting(node)
    node.cancel()

    assert wait(node).state is State.CANCELLED
    assert list(host.workspace().rglob("*.exr")) == []


def test_a_run_outlives_its_host_and_is_found_by_the_next(
    host: FilesHost, shown: dict[str, object], checkout: Path
) -> None:
    """A process that starts a run and goes away; another that opens the same folder."""
    script = (
        "import sys, json, os\n"
        "from infusion_hosts.script_host import FilesHost\n"
        "from infusion_node.node import InfusionNode\n"
        "from infusion_node.frame_range import FrameRange\n"
        "plate, matte, folder, shown = sys.argv[1:]\n"
        "host = FilesHost(plate, FrameRange(1001, 1003), folder, matte)\n"
        "for _ in InfusionNode(host).inpaint(json.loads(shown)): pass\n"
        "os._exit(0)\n"
    )
    words = [str(host.plate), str(host.matte), str(host.folder), json.dumps(shown)]
    subprocess.run([sys.executable, "-c", script, *words], check=True, timeout=PATIENCE)

    found = InfusionNode(host)
    assert found.attach().state in (State.RUNNING, State.DONE)
    assert wait(found).state is State.DONE
    assert (host.workspace() / "runs/0001/result/fire.1003.exr").exists()


def test_what_the_engine_refuses_is_told_in_its_words(
    node: InfusionNode, host: FilesHost, shown: dict[str, object], tmp_path: Path
) -> None:
    """A matte that cannot be read is a failed state, with the file in it and what to do.

    Mended, the next press gives the result.
    """
    broken = tmp_path / "hole.exr"
    broken.write_bytes(b"no picture")
    node = InfusionNode(replace(host, matte=broken))
    status = run_to_end(node, shown)

    assert status.state is State.FAILED
    assert str(broken) in status.line
    assert status.remedy
    assert "\n" not in status.line + status.remedy
    assert host.matte is not None
    shutil.copy(host.matte, broken)
    assert run_to_end(node, shown).state is State.DONE


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of two megabytes; skips where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(disk: Path, left: int) -> Path:
    """A file that leaves so many bytes of a disk free."""
    large = disk / "large"
    with suppress(OSError), large.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    os.truncate(large, large.stat().st_size - left)
    return large


@pytest.mark.parametrize(
    ("whose", "left"),
    [
        pytest.param("cache", 0, marks=pytest.mark.slow),
        ("cache", 98_304),
        ("work", 0),
        pytest.param("work", 16_384, marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_is_a_failure_and_with_room_the_next_run_is_done(
    host: FilesHost, shown: dict[str, object], tmp_path: Path, whose: str, left: int
) -> None:
    """Whether the node, the engine's first look or its work finds out: one line, and what to do.

    98,304 bytes are room for the engine's first look at its cache, and not for a fit.
    """
    with small_disk(tmp_path / "disk") as disk:
        shown = {**shown, "cache": str(disk / "cache")} if whose == "cache" else shown
        host = host if whose == "cache" else replace(host, folder=disk / "work")
        node = InfusionNode(host)
        large = fill_up(disk, left)
        with suppress(NodeError):  # a node that cannot make its folder says so at once
            run_to_end(node, shown)
        status = node.poll()
        assert status.state is State.FAILED, status
        assert re.search("space|full", status.line), status
        assert status.remedy
        assert "\n" not in status.line + status.remedy
        assert list(host.workspace().rglob("*.exr")) == []
        large.unlink()
        assert run_to_end(node, shown).state is State.DONE


def test_a_host_of_files_renders_nothing(host: FilesHost, tmp_path: Path) -> None:
    """Asked to, it says so; a matte that is not given is none."""
    with pytest.raises(Exception, match="not rendered"):
        host.write_frame(Clip.PLATE, 1, tmp_path / "x.exr")
    assert replace(host, matte=None).footage(Clip.MATTE) is None


@pytest.mark.slow
def test_ten_nodes_at_once_take_turns(
    host: FilesHost, shown: dict[str, object], tmp_path: Path
) -> None:
    """Ten presses in a row: nine wait and say for what, all of them end with their frames."""
    del shown["threads"]  # with all cores to itself each has to wait for the one before
    nodes = [InfusionNode(replace(host, folder=tmp_path / f"work{k}")) for k in range(10)]
    lines: set[str] = set()
    for k, node in enumerate(nodes):
        for _ in node.inpaint({**shown, "seed": k}):
            pass
    for node in nodes:
        assert wait(node, lambda status: lines.add(status.line)).state is State.DONE

    assert "Waiting for the CPU: another render is using it." in lines
    assert all((tmp_path / f"work{k}/runs/0001/result/fire.1003.exr").exists() for k in range(10))
