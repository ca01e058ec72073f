"""`infusion-farm` refuses what infusion-render would refuse, with its code, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from infusion_engine.cli import farm
from infusion_node.wire.job import RenderJob
from tests.farm.conftest import Shot, make_shot, shot

__all__ = ["make_shot", "shot"]  # fixtures

DEADLINE = """#!{python}
import json, sys
open({log!r}, "w").write(json.dumps(sys.argv[1:]))
print("Submitted job-1234")
print("no farm is configured\\nplease log in", file=sys.stderr)
sys.exit({code})
"""
"""Takes the place of AWS's own command, which needs an account."""


OPENJD = """#!{python}
import json, sys
open({log!r}, "w").write(json.dumps(sys.argv[1:]))
sys.exit({code})
"""
"""Takes the place of OpenJD's own command: what is asked of it is what counts here."""


def here(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(farm.main, [*map(str, arguments)])


def infusion_farm(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command as its own process."""
    return subprocess.run(
        [Path(sys.executable).with_name("infusion-farm"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **variables},
    )


PutProgram = Callable[[str, str, int], Path]


@pytest.fixture
def put_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutProgram:
    """Puts a scheduler's command on PATH that ends with a code; its arguments are in the file."""

    def put(name: str, text: str, code: int) -> Path:
        log = tmp_path / f"{name}.json"
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.format(python=sys.executable, log=str(log), code=code))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        return log

    return put


@pytest.fixture
def deadline(put_program: PutProgram) -> Callable[[int], Path]:
    """Puts a `deadline` on PATH that ends with a code; what it was given is in the file."""
    return lambda code: put_program("deadline", DEADLINE, code)


def test_what_was_decided_is_told(shot: Shot) -> None:
    """Tasks, what fits start from, and the cache; nothing on stderr."""
    job = shot.job_file(takes=2, report=str(shot.folder / "report"))
    run = infusion_farm("bundle", job, "--output", shot.folder / "bundle", "--chunk", "2")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "Tasks:  Prepare 1, Base 1, Fit 3, Sample 2, Write 3",
        "Fits:   base",
        f"Cache:  {shot.folder / 'cache'}",
        f"Left out: report {shot.folder / 'report'}; no task sees all of the work",
        f"Wrote {shot.folder / 'bundle'}",
    ]


@pytest.mark.parametrize(
    ("arguments", "chunk", "timeout", "fits"),
    [
        ([], 10, 86400, "base"),
        (["--workers-hint", "2", "--timeout", "0.5", "--fits", "scratch"], 3, 1800, "scratch"),
        (["--workers-hint", "99", "--fits", "chain"], 1, 86400, "previous"),
        (["--chunk", "4"], 4, 86400, "base"),
    ],
)
def test_options_reach_the_bundle(
    shot: Shot, arguments: list[str], chunk: int, timeout: int, fits: str
) -> None:
    """Frames of a task, seconds of a task, and what fits start from."""
    folder = shot.folder / "bundle"
    assert here("bundle", shot.job_file(), "--output", folder, *arguments).exit_code == 0
    template = yaml.safe_load((folder / "template.yaml").read_text())
    write = template["steps"][-1]
    (frames,) = write["parameterSpace"]["taskParameterDefinitions"]
    assert frames["chunks"]["defaultTaskCount"] == chunk
    assert {step["script"]["actions"]["onRun"]["timeout"] for step in template["steps"]} == {
        timeout
    }
    assert json.loads((folder / "job.json").read_text())["settings"]["fits_start"] == fits


def test_a_cache_is_found_where_none_is_named(shot: Shot) -> None:
    """Beside the output's folder, unless one is given; a device likewise, and another command."""
    job = shot.job_file(cache=None, device="auto")
    plain, given = shot.folder / "plain", shot.folder / "given"
    told = here("bundle", job, "--output", plain)
    assert f"Cache:  {shot.folder / 'infusion-cache'}\n" in told.output
    assert "Device: auto; no GPU is asked for" in told.output
    more = ("--cache", shot.folder / "own", "--device", "cuda", "--engine", "/opt/infusion-render")
    assert here("bundle", job, "--output", given, *more).exit_code == 0
    found = RenderJob.from_json((given / "job.json").read_text())
    assert (found.cache, found.device) == (str(shot.folder / "own"), "cuda")
    definitions = yaml.safe_load((given / "template.yaml").read_text())["parameterDefinitions"]
    assert definitions[-1]["default"] == "/opt/infusion-render"


def test_a_device_s_number_is_its_machine_s_own(shot: Shot) -> None:
    """Tasks are told the kind alone, and whoever asked for a number is told so."""
    run = infusion_farm(
        *("bundle", shot.job_file(device="cuda:1"), "--output", shot.folder / "bundle"),
    )
    assert run.returncode == 0, run.stderr
    assert "cuda:1: machines of a farm number their own" in run.stderr
    found = RenderJob.from_json((shot.folder / "bundle/job.json").read_text())
    assert found.device == "cuda"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read the job"),
        ("{", "expected a job as JSON"),
        ("[]", "expected a JSON object"),
        ('{"plate": "p", "output": "o", "sped": 1}', "no field 'sped'"),
        ('{"plate": "p", "output": "o", "schema_version": "2.0"}', "schema_version 2.0"),
        ('{"plate": "p", "output": "o", "device": "gpu"}', "--device"),
    ],
)
@pytest.mark.parametrize("command", ["bundle", "submit", "estimate", "opencue"])
def test_a_job_that_cannot_be_read(
    tmp_path: Path, command: str, text: str | None, words: str
) -> None:
    """Unknown, damaged, of another version: code 2, one line, and nothing is written."""
    job = tmp_path / "job.json"
    if text is not None:
        job.write_text(text)
    before = sorted(tmp_path.iterdir())
    arguments: dict[str, list[object]] = {
        "bundle": [job, "--output", tmp_path / "new"],
        "opencue": [job, "--output", tmp_path / "new"],
        "submit": ["--job", job, "--to", "openjd"],
        "estimate": [job],
    }
    run = here(command, *arguments[command])
    assert run.exit_code == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith("Error: ")
    assert words in line
    assert sorted(tmp_path.iterdir()) == before


def missing_plate(folder: Path) -> dict[str, Any]:
    return {"plate": str(folder / "gone")}


def missing_matte(folder: Path) -> dict[str, Any]:
    return {"matte": str(folder / "gone.%04d.exr")}


def bad_output(folder: Path) -> dict[str, Any]:
    (folder / "file").touch()
    return {"output": str(folder / "file/out")}


def no_cache(_folder: Path) -> dict[str, Any]:
    return {"cache": None, "use_cache": False}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (missing_plate, 3, "gone"),
        (missing_matte, 3, "gone.%04d.exr"),
        (bad_output, 5, "output folder"),
        (no_cache, 2, "use_cache false"),
    ],
)
def test_a_job_that_cannot_be_rendered(
    shot: Shot, change: Callable[[Path], dict[str, Any]], code: int, words: str
) -> None:
    """What is missing is named, with the code that infusion-render ends with."""
    job = shot.job_file(**change(shot.folder))
    run = here("bundle", job, "--output", shot.folder / "bundle")
    assert run.exit_code == code
    (line,) = run.stderr.splitlines()
    assert words in line
    assert not (shot.folder / "bundle").exists()


@pytest.mark.parametrize("command", ["bundle", "opencue"])
def test_a_folder_that_is_in_use(shot: Shot, command: str) -> None:
    """It is named before anything is looked at, and keeps what it has."""
    run = here(command, "no job.json", "--output", shot.folder)
    assert run.exit_code == 2
    assert f"'{shot.folder}' is there already and is not empty" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--chunk", "2", "--workers-hint", "2"],
        ["--chunk", "0"],
        ["--timeout", "0"],
        ["--fits", "previous"],
        ["--device", "gpu"],
    ],
)
def test_options_that_make_no_sense(shot: Shot, arguments: list[str]) -> None:
    """Code 2, and nothing is written."""
    job, folder = shot.job_file(), shot.folder / "bundle"
    run = here("bundle", job, "--output", folder, *arguments)
    assert (run.exit_code, folder.exists()) == (2, False)


def test_a_farm_has_to_be_named(shot: Shot) -> None:
    """By the option or by the variable, which the help names."""
    run = infusion_farm("submit", "--job", shot.job_file(), INFUSION_FARM="")
    assert run.returncode == 2
    assert "INFUSION_FARM" in run.stderr.splitlines()[-1]
    assert "INFUSION_FARM" in here("submit", "--help").output


def test_a_program_that_is_missing(shot: Shot) -> None:
    """It is named, with what installs it, before anything is written."""
    before = sorted(shot.folder.iterdir())
    job = shot.job_file()
    run = infusion_farm("submit", "--job", job, INFUSION_FARM="deadline-cloud", PATH="/")
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert "no command 'deadline' on PATH" in line
    assert "pip install" in line
    assert sorted(shot.folder.iterdir()) == sorted([*before, job])


def test_deadline_cloud_takes_the_bundle(shot: Shot, deadline: Callable[[int], Path]) -> None:
    """Its command gets the bundle and what stands after --; the bundle stays for it to read."""
    log = deadline(0)
    job = shot.job_file()
    more = ("--", "--queue-id", "queue-1")
    run = here("submit", "--job", job, "--to", "deadline-cloud", *more)
    bundle = shot.folder / "job-farm"
    assert (run.exit_code, run.output) == (0, f"Wrote {bundle}\nSubmitted job-1234\n")
    assert json.loads(log.read_text()) == [
        *("bundle", "submit", "--yes", str(bundle), "--queue-id", "queue-1")
    ]
    assert (bundle / "template.yaml").is_file()


def test_deadline_cloud_refuses_the_bundle(shot: Shot, deadline: Callable[[int], Path]) -> None:
    """The last line on stderr says why, as a panel shows it, and that the bundle stays.

    A command that fails may have handed it on before, and its tasks read it; so another try has a
    folder of its own, where none was named.
    """
    deadline(7)
    job = shot.job_file()
    for name in ("job-farm", "job-farm-2", "job-farm-3"):
        run = here("submit", "--job", job, "--to", "deadline-cloud")
        assert run.exit_code == 2
        last = run.stderr.splitlines()[-1]
        assert last.startswith(
            "Error: Deadline Cloud did not take the job (code 7): please log in. "
        )
        assert last.endswith(
            f"'{shot.folder / name}' was left, since tasks may read it; another try needs another "
            "folder."
        )
        assert (shot.folder / name / "job.json").is_file()
    named = ("--bundle", shot.folder / "job-farm")
    again = here("submit", "--job", job, "--to", "deadline-cloud", *named)
    assert "is there already and is not empty" in again.stderr
    deadline(0)
    assert here("submit", "--job", job, "--to", "deadline-cloud").exit_code == 0
    assert (shot.folder / "job-farm-4/job.json").is_file()


@pytest.mark.parametrize("answer", ["SIG_DFL", "SIG_IGN"])
def test_a_submission_that_is_stopped(shot: Shot, put_program: PutProgram, answer: str) -> None:
    """Ctrl-C while the scheduler's command is at work: code 130, and the bundle stays, too.

    So it is where that command does not hear what it is told.
    """
    stopping = f"""#!{{python}}
import os, signal, time
signal.signal(signal.SIGTERM, signal.{answer})
open({{log!r}}, "w").write(str(os.getpid()))
os.kill(os.getppid(), signal.SIGINT)
time.sleep(100 + {{code}})
"""
    log = put_program("deadline", stopping, 0)
    run = infusion_farm("submit", "--job", shot.job_file(), "--to", "deadline-cloud")
    assert run.returncode == 130
    assert f"'{shot.folder / 'job-farm'}' was left" in run.stderr.splitlines()[-1]
    assert (shot.folder / "job-farm/job.json").is_file()
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_a_command_that_cannot_be_started(shot: Shot, put_program: PutProgram) -> None:
    """Nobody was handed anything: one line, and no folder is left."""
    put_program("deadline", "#!/no/such/{python}{log}{code}\n", 0)
    run = here("submit", "--job", shot.job_file(), "--to", "deadline-cloud")
    assert run.exit_code == 2
    (line,) = run.stderr.splitlines()
    assert "cannot be started" in line
    assert "was left" not in line
    assert not (shot.folder / "job-farm").exists()


def test_openjd_fails(shot: Shot, put_program: PutProgram) -> None:
    """Its code is told, and the bundle stays."""
    put_program("openjd", OPENJD, 3)
    run = here("submit", "--job", shot.job_file(), "--to", "openjd")
    assert run.exit_code == 2
    assert "'openjd run' ended with code 3" in run.stderr
    assert f"'{shot.folder / 'job-farm'}' was left" in run.stderr
    assert (shot.folder / "job-farm/job.json").is_file()


@pytest.mark.parametrize("named", ["/opt/other/infusion-render", "infusion-render", None])
def test_openjd_starts_the_engine_that_was_named(
    shot: Shot, named: str | None, put_program: PutProgram
) -> None:
    """One that was named is taken as it is; otherwise it is this environment's own."""
    log = put_program("openjd", OPENJD, 0)
    more = () if named is None else ("--engine", named)
    run = here("submit", "--job", shot.job_file(), "--to", "openjd", *more)
    assert run.exit_code == 0, run.stderr
    own = str(Path(sys.executable).with_name("infusion-render"))
    expected = own if named in (None, "infusion-render") else named
    assert f"Engine={expected}" in json.loads(log.read_text())


def test_opencue_does_not_answer(shot: Shot) -> None:
    """One line that says what to name, and nothing is left."""
    pytest.importorskip("outline", reason="pyoutline is not installed: pip install '.[opencue]'")
    job = shot.job_file()
    run = infusion_farm("submit", "--job", job, "--to", "opencue", CUEBOT_HOSTS="localhost:1")
    assert run.returncode == 2
    line = run.stderr.splitlines()[-1]
    assert "did not take the job" in line
    assert "localhost:1" in line
    assert "CUEBOT_HOSTS" in line
    assert not (shot.folder / "job-farm").exists()
    more = here("submit", "--job", job, "--to", "opencue", "--", "--priority")
    assert (more.exit_code, (shot.folder / "job-farm").exists()) == (2, False)


def test_without_pyoutline(shot: Shot) -> None:
    """What to install is said, by whichever command needs it."""
    code = (
        "import sys\n"
        "sys.modules['outline'] = None\n"
        "from infusion_engine.cli.farm import main\n"
        "main(sys.argv[1:])\n"
    )
    job = shot.job_file()
    for arguments in (
        ["opencue", str(job), "--output", str(shot.folder / "cue")],
        ["submit", "--job", str(job), "--to", "opencue"],
    ):
        command = [sys.executable, "-c", code, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert run.returncode == 2
        (line,) = run.stderr.splitlines()
        assert "pip install 'infusion-inpaint[opencue]'" in line
    assert sorted(path.name for path in shot.folder.iterdir()) == ["job.json", "matte", "plate"]
