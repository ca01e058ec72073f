"""infusion-render as a person, a host and a farm meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from infusion_engine.cli.render import main
from infusion_engine.settings import PRESETS
from infusion_node.wire.events import Stamped, from_line
from infusion_node.wire.handshake import from_line as from_answer
from infusion_node.wire.job import SCHEMA_VERSION, RenderJob
from infusion_node.wire.knobs import KNOBS, Group, Kind

FRAMES = (1001, 1002, 1003, 1004)
TINY = ("intervals=2", "steps_per_interval=2", "sampling_steps=1", "window_frames=4")
"""Settings under which a whole run takes a moment."""


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with four small PNG frames in `plate` and a matte in `matte`."""
    for frame in FRAMES:
        for name in ("plate", "matte"):
            (tmp_path / name).mkdir(exist_ok=True)
        Image.effect_noise((48, 32), 60).convert("RGB").save(tmp_path / f"plate/p.{frame}.png")
        matte = Image.new("L", (48, 32))
        ImageDraw.Draw(matte).rectangle((18, 10, 30, 20), fill=255)
        matte.save(tmp_path / f"matte/m.{frame}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    return tmp_path


def invoke(*arguments: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, arguments)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which then says whether it loaded torch."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from infusion_engine.cli.render import main\n"
        "main(sys.argv[1:], prog_name='infusion-render')"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )


def events(text: str) -> list[dict[str, Any]]:
    """Lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]


def tree(folder: Path) -> list[str]:
    """Everything in a folder, by name."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_flags_become_the_job(shot: Path) -> None:
    """Flags set the fields of their names, and the job file holds what was given.

    But for minutes, which become steps (tests/end_to_end/test_minutes.py).
    """
    result = invoke(
        *("p/", "--output", "o/", "--matte", "m.%04d.exr", "--matte-channel", "A"),
        *("--matte-invert", "--matte-grow", "4", "--matte-feather", "2.5"),
        *("--frames", "1001-1048", "--handles", "8", "--view", "left"),
        *("--input-space", "ACEScct"),
        *("--layer", "fill_2", "--write", "merged", "--preset", "paper"),
        *("--set", "batch=2", "--set", "working_size = 96x64", "--seed", "7"),
        *("--takes", "3", "--device", "cuda:1", "--threads", "3"),
        *("--cache", "c", "--contact-sheet", "s.png", "--report", "r"),
        *("--events-file", "job/e.ndjson", "--write-job", "job.json"),
    )

    assert result.exit_code == 0
    job = RenderJob.from_json((shot / "job.json").read_text())
    assert job == RenderJob(
        plate="p/",
        output="o/",
        matte="m.%04d.exr",
        matte_channel="A",
        matte_invert=True,
        matte_grow=4.0,
        matte_feather=2.5,
        frames="1001-1048",
        handles=8,
        view="left",
        input_space="ACEScct",
        layer="fill_2",
        write="merged",
        preset="paper",
        settings={"batch": "2", "working_size": "96x64"},
        seed=7,
        takes=3,
        device="cuda:1",
        threads=3,
        cache="c",
        contact_sheet="s.png",
        report="r",
        events_file="job/e.ndjson",
    )


def test_no_flag_is_left_out_of_the_test_above() -> None:
    """Every knob has its flag on the command line, spelled as the table says."""
    flags = {flag for parameter in main.params for flag in parameter.opts}

    missing = {knob.flag for knob in KNOBS} - flags
    assert missing == {"--plate", "--use-cache", "--settings"}
    assert {"plate", "--no-cache", "--set"} <= flags


def test_flags_override_a_job_file(shot: Path) -> None:
    """Only what is given changes; settings are joined, the flag's value winning."""
    settings = {"batch": "2", "ema": "0"}
    first = RenderJob("p", "o", seed=3, frames="1-9", matte_invert=True, settings=settings)
    (shot / "job.json").write_text(first.to_json())

    result = invoke(
        *("--job", "job.json", "q", "--output", "elsewhere", "--set", "batch=4"),
        *("--no-cache", "--write-job", "second.json"),
    )

    assert result.exit_code == 0
    second = RenderJob.from_json((shot / "second.json").read_text())
    assert second == first.overridden(
        plate="q", output="elsewhere", use_cache=False, settings={"batch": "4", "ema": "0"}
    )


@pytest.mark.parametrize(
    ("field", "value", "flags", "expected"),
    [
        ("matte_invert", True, ("--no-matte-invert",), False),
        ("seed", 3, ("--seed", "0"), 0),
        ("use_cache", False, ("--cache", "c"), True),
        ("preset", "paper", ("--preset", "draft"), "draft"),
    ],
)
def test_a_flag_may_set_a_default_again(
    shot: Path, field: str, value: object, flags: tuple[str, ...], expected: object
) -> None:
    """A flag that says the default is still given, and wins over the file."""
    (shot / "job.json").write_text(RenderJob("p", "o").overridden(**{field: value}).to_json())

    invoke("--job", "job.json", *flags, "--write-job", "second.json")

    assert getattr(RenderJob.from_json((shot / "second.json").read_text()), field) == expected


def test_writing_a_job_renders_nothing(shot: Path) -> None:
    """The files of the job need not even exist, and nothing but the job is written."""
    before = tree(shot)

    assert invoke("nowhere", "--output", "o", "--write-job", "sub/job.json").exit_code == 0

    assert tree(shot) == sorted([*before, "sub", "sub/job.json"])


@pytest.mark.parametrize(
    "flags", [("--seed", "-1"), ("--set", "stepz=1"), ("--set", "batch=many"), ("--device", "gpu")]
)
def test_a_bad_job_is_not_written(shot: Path, flags: tuple[str, ...]) -> None:
    """A farm would only find out hours later."""
    result = invoke("p", "--output", "o", *flags, "--write-job", "job.json")

    assert result.exit_code == 2
    assert not (shot / "job.json").exists()


BAD = {
    "no plate": (("--output", "o"), 2, "No plate"),
    "no output": (("plate",), 2, "No output"),
    "missing plate": (("nowhere", "--output", "o"), 3, "'nowhere'"),
    "missing matte": (("plate", "--matte", "nowhere", "--output", "o"), 3, "'nowhere'"),
    "missing job": (("--job", "nowhere.json"), 2, "nowhere.json"),
    "reversed range": (("plate", "--output", "o", "--frames", "1004-1001"), 2, "reversed"),
    "no range": (("plate", "--output", "o", "--frames", "all"), 2, "'all'"),
    "frames beyond": (("plate", "--output", "o", "--frames", "1003-1006"), 3, "1005"),
    "numeric layer": (("plate", "--output", "o", "--layer", "2fill"), 2, "2fill"),
    "negative grow": (("plate", "--output", "o", "--matte-grow", "-1"), 2, "--matte-grow"),
    "no number": (("plate", "--output", "o", "--matte-grow", "nan"), 2, "--matte-grow"),
    "no threads": (("plate", "--output", "o", "--threads", "0"), 2, "--threads"),
    "unknown device": (("plate", "--output", "o", "--device", "gpu"), 2, "--device"),
    "unknown setting": (("plate", "--output", "o", "--set", "stepz=1"), 2, "steps_per_interval"),
    "no setting": (("plate", "--output", "o", "--set", "batch"), 2, "KEY=VALUE"),
    "two caches": (("plate", "--output", "o", "--cache", "c", "--no-cache"), 2, "--no-cache"),
    "unknown option": (("plate", "--output", "o", "--speed", "9"), 2, "--speed"),
    "unknown preset": (("plate", "--output", "o", "--preset", "best"), 2, "best"),
    "output on the plate": (("plate", "--output", "plate"), 2, "overwrite"),
    "output below a file": (("plate", "--output", "matte/m.1001.png/o"), 5, "m.1001.png"),
    "cache below a file": (("plate", "--output", "o", "--cache", "matte/m.1001.png/c"), 5, "cache"),
    "events below a file": (
        ("plate", "--output", "o", "--events-file", "matte/m.1001.png/e"),
        5,
        "events file",
    ),
    "minutes of a missing plate": (
        ("nowhere", "--output", "o", "--minutes", "1", "--write-job", "j"),
        3,
        "'nowhere'",
    ),
    "job over a folder": (
        ("plate", "--output", "o", "--minutes", "1", "--write-job", "matte"),
        5,
        "job file",
    ),
    "dry run that writes": (
        ("p", "--output", "o", "--dry-run", "--write-job", "j"),
        2,
        "--dry-run",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_command_is_refused_with_one_message(shot: Path, name: str) -> None:
    """The right exit code, a message that names what is wrong, no traceback, nothing written."""
    arguments, exit_code, word = BAD[name]
    if "--matte" not in arguments and arguments[0] == "plate":
        arguments = (*arguments, "--matte", "matte")
    before = tree(shot)

    result = invoke(*arguments)

    assert result.exit_code == exit_code
    assert word in result.stderr
    assert "Traceback" not in result.output
    assert tree(shot) == before


@pytest.mark.parametrize(
    "name", ["missing plate", "unknown setting", "cache below a file", "minutes of a missing plate"]
)
def test_a_bad_command_never_loads_torch(shot: Path, name: str) -> None:
    """Loading it takes seconds, and a typing error should not."""
    arguments, exit_code, _ = BAD[name]

    result = run(*arguments, "--matte", "matte")

    assert result.returncode == exit_code
    assert result.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("nowhere", "--output", "o"), "sequence", 3),
        (("--job", "nowhere.json"), "usage", 2),
        (("plate", "--output", "o", "--seed", "-1"), "usage", 2),
    ],
)
def test_a_host_reads_the_refusal_as_events(
    shot: Path, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    """On stdout and in the file: first `started`, last `failed` with the same exit code."""
    result = invoke(*arguments, "--events", "json", "--events-file", "job/e.ndjson")

    for told in (events(result.stdout), events((shot / "job/e.ndjson").read_text())):
        assert [event["event"] for event in told] == ["started", "failed"]
        assert (told[-1]["code"], told[-1]["exit_code"]) == (code, exit_code)
    assert result.exit_code == exit_code


def test_a_dry_run_tells_everything_and_writes_nothing(shot: Path) -> None:
    """Every number behind the preset, every file, without torch, without a trace on the disk."""
    before = tree(shot)

    result = run(
        *("plate", "--matte", "matte", "--output", "o", "--events-file", "job/e.ndjson"),
        *("--set", "steps_per_interval=123", "--contact-sheet", "review/s.png", "--dry-run"),
    )

    assert result.returncode == 0
    assert result.stderr.splitlines() == ["False"]
    told = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line[0] == " ")
    assert told["steps_per_interval"] == "123"
    assert told["frames"] == "1001-1004"
    assert told["files"] == "o/p.%04d.png"
    assert told["size"] == "48x32+0+0"
    assert {field for field in vars(PRESETS["draft"]) if field not in told} == set()
    assert tree(shot) == before


def test_a_dry_run_as_events(shot: Path) -> None:
    """A host gets the same as the `resolved` event."""
    before = tree(shot)

    result = invoke(
        *("plate", "--matte", "matte", "--output", "o", "--events-file", "job/e.ndjson"),
        *("--dry-run", "--events", "json"),
    )

    told = events(result.stdout)
    assert [event["event"] for event in told] == ["started", "resolved", "finished"]
    assert told[1]["plan"]["method"]["preset"] == "draft"
    assert tree(shot) == before


def test_the_help_teaches() -> None:
    """Every knob stands under its heading, explained; there are examples and exit codes."""
    result = invoke("--help")
    text = " ".join(result.stdout.split())

    assert result.exit_code == 0
    assert [group.value for group in Group if f"\n{group.value}:\n" not in result.stdout] == []
    plain = [knob for knob in KNOBS if knob.name != "use_cache"]
    assert [knob.name for knob in plain if " ".join(knob.help.split()) not in text] == []
    numbers = [knob for knob in plain if knob.kind is Kind.NUMBER]
    limits = {knob.name: f"{knob.least} to {knob.most} {knob.unit}" for knob in numbers}
    assert [name for name, words in limits.items() if words not in text] == []
    assert "default infusion" in text
    assert text.count("infusion-render") >= 5
    assert "130 cancelled" in text


def test_the_version_is_told() -> None:
    """A report of a defect begins with it."""
    assert invoke("--version").stdout.startswith("infusion-render, version ")


def test_a_whole_run_tells_its_story(shot: Path) -> None:
    """From `started` to `finished`, in the file and on stdout, with each frame and interval."""
    command = (
        *("plate", "--matte", "matte", "--output", "o", "--cache", "c", "--threads", "1"),
        *(part for setting in TINY for part in ("--set", setting)),
        *("--contact-sheet", "s.png", "--events-file", "job/e.ndjson"),
    )

    first = run(*command)
    again = run(*command, "--events", "json")

    assert first.returncode == 0, first.stderr
    assert "Done: 4 frames" in first.stdout
    assert "\x1b" not in first.stdout
    assert sorted(path.name for path in (shot / "o").iterdir()) == [
        f"p.{frame}.png" for frame in FRAMES
    ]
    told = events(again.stdout)
    assert told[0]["event"] == "started"
    assert told[-1]["event"] == "finished"
    assert (told[-1]["frames"], told[-1]["hits"], told[-1]["fitted"]) == (4, 2, 0)
    assert [e["outcome"] for e in told if e["event"] == "interval"] == ["hit", "hit"]
    assert [e["frame"] for e in told if e["event"] == "frame"] == list(FRAMES)
    lines = (shot / "job/e.ndjson").read_text().splitlines()
    assert all(isinstance(from_line(line), Stamped) for line in lines)
    ends = [event for event in events("\n".join(lines)) if event["event"] == "finished"]
    assert [(end["hits"], end["fitted"]) for end in ends] == [(0, 2), (2, 0)]


def test_a_node_is_told_which_jobs_are_read() -> None:
    """The version as one line of JSON, wherever the flags stand, and nothing is loaded for it."""
    for arguments in (("--version", "--events", "json"), ("--events", "json", "--version")):
        told = run(*arguments)
        answer = from_answer(told.stdout)
        assert answer is not None
        assert (answer.job_schema, answer.python) == (SCHEMA_VERSION, sys.executable)
        assert set(answer.presets) == set(PRESETS)
        assert "False" in told.stderr
