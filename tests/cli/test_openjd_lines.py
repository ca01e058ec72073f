"""OpenJD lines: progress that never goes back, one line for each, and why a run failed."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from infusion_engine.cli.openjd_lines import OpenJDLines
from infusion_node.wire.events import Event, Failed, Finished, Frame, Progress, Staged, Warned


def lines(stage: str, *events: Event) -> list[str]:
    """What a session reads of some events."""
    stream = io.StringIO()
    sink = OpenJDLines(stream, stage)
    for event in events:
        sink.write(event, time=0.0)
    sink.close()
    return stream.getvalue().splitlines()


def percentages(found: list[str]) -> list[float]:
    """The numbers of the progress lines."""
    return [
        float(line.removeprefix("openjd_progress: "))
        for line in found
        if line.startswith("openjd_progress: ")
    ]


@pytest.mark.parametrize(
    ("stage", "phase"), [("fit", "inpainting"), ("sample", "inpainting"), ("write", "writing")]
)
def test_a_stage_s_own_phase_is_all_of_its_progress(stage: str, phase: str) -> None:
    """Half of its fit, sample or frames is 50 percent."""
    events = [Progress(phase, done, 8) for done in (0, 1, 4, 8)]
    assert percentages(lines(stage, *events)) == [0.0, 12.5, 50.0, 100.0]


def test_progress_of_a_whole_render_never_goes_back() -> None:
    """Phases follow each other, and a phase that is gone through again says nothing new."""
    phases = (
        "looking",
        "reading",
        "base",
        "fitting",
        "looking",
        "reading",
        "inpainting",
        "writing",
    )
    events = [Progress(phase, done, 2) for phase in phases for done in (0, 1, 2)]
    found = percentages(lines("all", *events, Finished(5, 1.0, 0, 3)))
    assert found == sorted(set(found))
    assert found[-1] == 100.0


def test_every_line_is_of_a_kind_that_a_session_reads() -> None:
    """Nothing spans two lines, and no control code is in any."""
    events = (
        Warned("A sentence.\nAnd \tanother.", "Do this."),
        Staged("fit", "hit", "interval 1/3"),
        Frame(1001, "/out/fire.1001.exr"),
        Failed("storage", "The cache is\nfull.", "Make room.", 5),
    )
    found = lines("fit", *events)
    assert found == [
        "openjd_status: Warning: A sentence. And another. Do this.",
        "openjd_status: Stage fit: interval 1/3, taken from the cache",
        "openjd_status: Wrote /out/fire.1001.exr",
        "openjd_fail: The cache is full. Make room.",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--stage", "fit", "--interval", "0"], 2, "--interval 0: these are counted from 1"),
        (["--stage", "fit"], 2, "--interval is missing"),
        (["--stage", "fit", "--interval", "K"], 2, "'K' is not a valid integer"),
        (["--stage", "fitting"], 2, "'fitting' is not one of"),
        (["--job", "/nowhere/job.json"], 2, "/nowhere/job.json"),
        (["--log-file", "/proc/none/log"], 5, "/proc/none/log"),
        (["--events-file", "/proc/none/events"], 5, "/proc/none/events"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_from_the_start_is_told_a_session(
    arguments: list[str], code: int, words: str
) -> None:
    """One line by OpenJD's own word, whatever was not understood, and the same on stderr."""
    run = subprocess.run(
        [sys.executable, "-m", "infusion_engine.cli.render", *arguments, "--events", "openjd"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == code, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("openjd_fail: ")]
    assert words in line
    assert words in run.stderr
