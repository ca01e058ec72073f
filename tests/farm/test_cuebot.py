"""A job that is sent to OpenCue: what takes Cuebot's place refuses what Cuebot refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

pytest.importorskip("outline", reason="pyoutline is not installed: pip install '.[opencue]'")
grpc = pytest.importorskip("grpc")
cue = pytest.importorskip("opencue_proto.cue_pb2")
cue_grpc = pytest.importorskip("opencue_proto.cue_pb2_grpc")
job = pytest.importorskip("opencue_proto.job_pb2")
job_grpc = pytest.importorskip("opencue_proto.job_pb2_grpc")


class Cuebot:
    """Answers on a port of its own, knows the show `film`, and keeps each job's name for good."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.server = grpc.server(ThreadPoolExecutor(2))
        cue_grpc.add_CueInterfaceServicer_to_server(self, self.server)
        job_grpc.add_JobInterfaceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("localhost:0")
        self.server.start()

    def __getattr__(self, name: str) -> Any:
        """Calls of Cuebot's that nobody makes here."""
        return None

    def GetSystemStats(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        """What a client asks to see whether there is somebody."""
        return cue.CueGetSystemStatsResponse()

    def LaunchSpecAndWait(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Takes a job of a known show and a new name."""
        spec = ET.fromstring(request.spec)  # noqa: S314 - our own
        name = spec.find("job").attrib["name"]  # type: ignore[union-attr]
        if spec.findtext("show") != "film":
            context.abort(grpc.StatusCode.INTERNAL, f"no show {spec.findtext('show')}")
        if name in self.names:
            context.abort(grpc.StatusCode.INTERNAL, f"the job {name} is already pending")
        self.names.append(name)
        return job.JobLaunchSpecAndWaitResponse(jobs=job.JobSeq(jobs=[job.Job(name=name)]))


@pytest.fixture
def cuebot() -> Iterator[Cuebot]:
    """Runs until the test is over."""
    found = Cuebot()
    yield found
    found.server.stop(None)


def submitted(
    shot: Shot, cuebot: Cuebot, *more: str, show: str = "film"
) -> subprocess.CompletedProcess[str]:
    """The shot's job, submitted."""
    command = [str(Path(sys.executable).with_name("infusion-farm")), "submit"]
    where = ("--to", "opencue", "--show", show, "--shot", "sh010")
    return subprocess.run(
        [*command, "--job", str(shot.job_file()), *where, *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "CUEBOT_HOSTS": f"localhost:{cuebot.port}"},
    )


def test_a_job_is_taken_twice(shot: Shot, cuebot: Cuebot) -> None:
    """While the first is pending, too: each has a name of its own, the one in its folder's spec."""
    for folder in ("one", "two"):
        run = submitted(shot, cuebot, "--bundle", str(shot.folder / folder))
        assert run.returncode == 0, run.stderr
        name = cuebot.names[-1]
        assert run.stdout == f"Wrote {shot.folder / folder}\nSubmitted {name}\n"
        assert name.startswith("infusion_plate_fire_")
        assert f'<job name="{name}"' in (shot.folder / folder / "spec.xml").read_text()
    assert len(set(cuebot.names)) == 2


def test_what_cuebot_says_is_told(shot: Shot, cuebot: Cuebot) -> None:
    """A show that it does not know: its own words, and nothing of a Cuebot that does not answer."""
    run = submitted(shot, cuebot, show="play")
    assert run.returncode == 2
    line = run.stderr.splitlines()[-1]
    assert "did not take the job" in line
    assert "no show play" in line
    assert "--show" in line
    assert "CUEBOT_HOSTS" not in line
    assert f"'{shot.folder / 'job-farm'}' was left" in line
    assert (shot.folder / "job-farm/spec.xml").is_file()
    again = submitted(shot, cuebot)
    assert again.returncode == 0, again.stderr
    assert (shot.folder / "job-farm-2/spec.xml").is_file()
