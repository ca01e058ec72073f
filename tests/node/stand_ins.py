"""Stand-ins for the node's neighbours: an engine that does as told, a host that counts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infusion_node.errors import SetupError
from infusion_node.host import Clip, Footage
from infusion_node.node import InfusionNode
from infusion_node.status import Status
from infusion_node.wire.handshake import Handshake, to_line
from infusion_node.wire.job import SCHEMA_VERSION

PATIENCE = 60.0  # seconds for anything at all: long before this something is wrong

ENGINE = '''#!{python}
"""A stand-in for infusion-render: says who it is, then does what the test asks."""
import json, os, signal, sys, time
if "--version" in sys.argv:
    print({answer!r})
    sys.exit()
events = sys.argv[sys.argv.index("--events-file") + 1]
job = json.load(open(sys.argv[sys.argv.index("--job") + 1]))
folder = os.path.dirname(events)
def say(event, **fields):
    with open(events, "a") as file:
        file.write(json.dumps(dict(event=event, time=time.time(), **fields)) + "\\n")
def until_cancelled():
    while not os.path.exists(os.path.join(folder, "cancel")):
        say("heartbeat", seconds=1.0, phase="inpainting")
        time.sleep(0.02)
say("started", version="0.1.0", pid=os.getpid(), machine=os.uname().nodename)
{script}
'''

FINISH = 'say("finished", frames=3, seconds=1.0, hits=0, fitted=2)'
"""A script that is done at once."""

UNTIL_CANCELLED = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
until_cancelled()
say("failed", code="cancelled", message="The run was cancelled.", remedy="", exit_code=130)
"""
"""A script that works until its cancel file is there."""


def make_engine(
    folder: Path, script: str, *, schema: str = SCHEMA_VERSION, answer: str | None = None
) -> Path:
    """An engine with a script in `folder`; `schema` is the version of jobs that it says to read."""
    path = folder / "engine" / "bin" / "infusion-render"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = answer or to_line(Handshake("0.1.0", schema, sys.executable, ("draft",)))
    path.write_text(ENGINE.format(python=sys.executable, answer=line, script=script))
    path.chmod(0o755)
    return path


DIES = "os.kill(os.getpid(), signal.SIGKILL)"
"""A script that is killed at once."""

SPEAKS_AND_LEAVES = 'print("torch said something", flush=True); sys.exit(7)'
"""A script that prints something and fails."""

REFUSES = (
    'say("failed", code="matte", message="The matte is empty.", remedy="Paint one.", exit_code=3)'
)
"""A script that refuses the job."""


@dataclass
class CountingHost:
    """A host whose pictures are texts, and which counts what it is asked to write."""

    folder: Path
    plate: Footage | None = field(default_factory=lambda: Footage(1001, 1003))
    matte: Footage | None = field(default_factory=lambda: Footage(1001, 1003))
    pictures: dict[int, str | None] = field(default_factory=dict)
    written: list[tuple[str, int]] = field(default_factory=list)
    trouble: Exception | None = None

    @property
    def name(self) -> str:
        return "Test 1.0"

    def footage(self, clip: Clip) -> Footage | None:
        return self.plate if clip is Clip.PLATE else self.matte

    def content(self, clip: Clip, frame: int) -> str | None:
        return self.pictures.get(frame, f"{clip.value} {frame}")

    def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.written.append((clip.value, frame))
        path.write_text(str(self.content(clip, frame)))

    def workspace(self) -> Path:
        return self.folder


class NowhereHost(CountingHost):
    """A host whose script was never saved."""

    def workspace(self) -> Path:
        raise SetupError("The script was never saved.", remedy="Save it first.")


def pressed(node: InfusionNode, shown: Mapping[str, object]) -> Status:
    """Press Inpaint and go on until the engine was started, or could not be."""
    for status in node.inpaint(shown):
        last = status
    return last


def until(node: InfusionNode, happened: Callable[[Status], bool]) -> Status:
    """Poll until something has happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened(status := node.poll()):
        assert time.monotonic() < deadline, f"it never happened; the last status was {status}"
        time.sleep(0.01)
    return status


def ended(status: Status) -> bool:
    """True once nothing goes on any more."""
    return not status.state.is_working
