"""A fresh Nuke that is none for each test, a small shot on disk, and engines to work with."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import OpenEXR
import pytest

from tests.hosts.nuke.fake_nuke import stage as stages

sys.modules["nuke"] = importlib.import_module("tests.hosts.nuke.fake_nuke.nuke")

from infusion_hosts.nuke_host import sessions, updates  # noqa: E402 - they import nuke
from infusion_hosts.nuke_host.smoke_test import SETTINGS  # noqa: E402

if TYPE_CHECKING:
    import nuke

    from tests.hosts.nuke.fake_nuke.nodes import Node

HEIGHT, WIDTH = 40, 48
FIRST, LAST = 1001, 1005


@dataclass(frozen=True)
class Shot:
    """A plate and a matte on disk."""

    folder: Path
    """The test's own folder."""

    @property
    def plate(self) -> str:
        """The plate's pattern."""
        return (self.folder / "plate" / "fire.%04d.exr").as_posix()

    @property
    def matte(self) -> str:
        """The matte's pattern."""
        return (self.folder / "matte" / "hole.%04d.exr").as_posix()


def as_fake(node: nuke.Node) -> Node:
    """The node with what the fake alone can do."""
    return cast("Node", node)


def read_node(file: str, **knobs: Any) -> nuke.Node:
    """A Read of these files."""
    import nuke

    node: nuke.Node = nuke.nodes.Read(file=file, first=FIRST, last=LAST, **knobs)
    return node


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[stages.Stage]:
    """A Nuke that was just started, with the node known to it and a saved script."""
    monkeypatch.setattr(updates, "POLL_SECONDS", 0.05)  # nobody has to read what the panel says
    sessions._SESSIONS.clear()
    found = stages.renew()
    sessions.register()
    found.root["name"].setValue((tmp_path / "comp_v001.nk").as_posix())
    yield found
    for session in list(sessions._SESSIONS.values()):
        session.unfollow()
        pid = session.node.status.engine_pid
        if session.node.status.state.is_working and pid is not None:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Five frames of moving waves with a hole that stands still."""
    found = Shot(tmp_path)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for frame in range(FIRST, LAST + 1):
        grain = np.random.default_rng(frame).random((3, HEIGHT, WIDTH)) * 0.1
        waves = [0.5 + 0.3 * np.sin(x / 4 + y / 9 + frame + c) + grain[c] for c in range(3)]
        hole = np.zeros((HEIGHT, WIDTH))
        hole[14:23, 18:28] = 1
        plate = dict(zip("RGBA", [*waves, hole], strict=True))
        for path, channels in ((found.plate, plate), (found.matte, {"A": hole})):
            file = Path(path % frame)
            file.parent.mkdir(exist_ok=True)
            halves = {name: pixels.astype(np.float16) for name, pixels in channels.items()}
            OpenEXR.File({"compression": OpenEXR.ZIPS_COMPRESSION}, halves).write(str(file))
    return found


@pytest.fixture
def real_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[nuke.Group], None]:
    """Has a node work with the real engine, within seconds: `real_engine(group)`."""
    monkeypatch.setenv("INFUSION_ENGINE", str(Path(sys.executable).parent))
    monkeypatch.setenv("OCIO", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))

    def prepare(group: nuke.Group) -> None:
        group["settings"].setValue(SETTINGS)
        group["threads"].setValue(1)
        group["device"].setValue("cpu")

    return prepare


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts the stand-in engine where the node looks: `stand_in("finish")` or `("wait")`."""

    def install(manner: str) -> Path:
        folder = tmp_path / "engine"
        folder.mkdir(exist_ok=True)
        command = folder / "infusion-render"
        source = Path(__file__).with_name("stand_in_engine.py")
        command.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{source}' \"$@\"\n")
        command.chmod(0o755)
        monkeypatch.setenv("INFUSION_ENGINE", str(folder))
        monkeypatch.setenv("STAND_IN", manner)
        return command

    return install


@pytest.fixture
def node(stage: stages.Stage, shot: Shot) -> nuke.Group:
    """An Infusion Inpaint with a Read on each input."""
    group = sessions.create()
    group.setInput(0, read_node(shot.plate))
    group.setInput(1, read_node(shot.matte))
    return group
