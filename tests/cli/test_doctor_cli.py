"""`infusion-doctor` shows one page, or one JSON object, and leaves with what a render would."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from infusion_engine import __version__
from infusion_engine.cache.key import digest
from infusion_engine.cache.store import Kind, Store
from infusion_engine.cli import doctor

SECTIONS = ["Versions", "Device", "Arithmetic", "Engine", "Codecs", "Cache", "Disk", "Hosts"]
KEY = digest({"some": "identity"})


def infusion_doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the installed command as its own process."""
    return subprocess.run(
        [Path(sys.executable).with_name("infusion-doctor"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def here(*arguments: object) -> Result:
    """Run the command in this process, where torch is loaded already."""
    return CliRunner().invoke(doctor.main, [*map(str, arguments)])


def by_name(page: dict[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    """Every check of a page by (section, name)."""
    return {
        (section["name"], check["name"]): check
        for section in page["sections"]
        for check in section["checks"]
    }


def test_json_is_one_object_with_every_section(tmp_path: Path) -> None:
    """Exit code 0 here, nothing on stdout beside the object, and each check in four words."""
    run = infusion_doctor("--json", "--cache", tmp_path / "cache")
    assert (run.returncode, run.stderr) == (0, "")
    page = json.loads(run.stdout)
    assert list(page) == ["version", "would_render", "sections"]
    assert (page["version"], page["would_render"]) == (__version__, True)
    assert [section["name"] for section in page["sections"]] == SECTIONS
    for check in by_name(page).values():
        assert list(check) == ["name", "outcome", "found", "remedy"]
        assert check["outcome"] in ("ok", "warning")
        assert bool(check["remedy"]) == (check["outcome"] == "warning")
        assert check["found"]
        assert "\n" not in check["found"] + check["remedy"]
    assert not (tmp_path / "cache").exists()


def test_the_page_tells_of_a_damaged_entry_and_a_render_would_run(tmp_path: Path) -> None:
    """Piped it has no escape codes; a warning has its remedy below it, and the exit code is 0."""
    store = Store(tmp_path / "cache", on_damage=pytest.fail)
    store.save(Kind.FIT, KEY, {"a": np.zeros(10)}, {"identity": {}})
    tensors = store.entry_folder(Kind.FIT, KEY) / Kind.FIT.tensor_file
    tensors.write_bytes(b"")

    run = infusion_doctor("--cache", store.folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    lines = run.stdout.splitlines()
    assert [line for line in lines if line in SECTIONS] == SECTIONS
    (at,) = (number for number, line in enumerate(lines) if str(tensors.parent) in line)
    assert re.match(r"  WARN  entries {11}1 entry, .*, 1 damaged: ", lines[at])
    assert lines[at + 1].lstrip().startswith("A render computes them again; `infusion-cache")
    assert lines[-1] == "A render would run."


def test_a_cache_that_cannot_be_written_leaves_with_5(tmp_path: Path) -> None:
    """The file that stands in its place is named, and what to do stands below."""
    file = tmp_path / "cache"
    file.write_text("in the way")
    run = here("--cache", file)
    assert (run.exit_code, run.stderr) == (5, "")
    (at,) = (n for n, line in enumerate(run.stdout.splitlines()) if line.startswith("  FAIL"))
    assert f"FAIL  location          The cache folder '{file}' cannot be used" in run.stdout
    assert run.stdout.splitlines()[at + 1].strip() == "Choose another path."
    assert run.stdout.splitlines()[-1] == "A render would not run: 1 check failed."


def test_a_device_that_is_not_there_leaves_with_4(tmp_path: Path) -> None:
    """The failure stands in the object too, and nothing else failed on its account."""
    run = here("--json", "--device", "cuda:99", "--cache", tmp_path / "cache")
    assert run.exit_code == 4
    page = json.loads(run.stdout)
    assert page["would_render"] is False
    failed = [at for at, check in by_name(page).items() if check["outcome"] == "failed"]
    assert failed == [("Device", "device")]
    assert "--device cpu" in by_name(page)["Device", "device"]["remedy"]


def test_cuda_without_cuda_leaves_with_4(tmp_path: Path) -> None:
    """`--device cuda` asks for what this machine does not have."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    run = here("--device", "cuda", "--cache", tmp_path / "cache")
    assert run.exit_code == 4
    assert "FAIL  device            --device cuda was asked for" in run.stdout


def test_a_check_that_raises_is_a_failure_and_the_page_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that breaks is told in its own words, without a traceback, and leaves with 1."""
    import tempfile

    def broken(**_: object) -> None:
        raise RuntimeError("symbol not found")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", broken)
    run = here("--cache", tmp_path / "cache")
    assert run.exit_code == 1
    assert "FAIL  Codecs            RuntimeError: symbol not found" in run.stdout
    assert "Traceback" not in run.output
    assert [line for line in run.stdout.splitlines() if line in SECTIONS] == SECTIONS


@pytest.mark.parametrize("device", ["tpu", "cuda:", "CPU"])
def test_a_device_that_no_render_could_be_given_is_refused(device: str) -> None:
    """With exit code 2 and the words that are expected, before anything is looked at."""
    run = here("--device", device)
    assert (run.exit_code, run.stdout) == (2, "")
    assert "expected auto, cpu, cuda or cuda:N" in run.stderr


def test_the_page_spells_out_what_a_stream_cannot_show(tmp_path: Path) -> None:
    """A folder whose name is no text, and one in another script, do not end the page."""
    folder = tmp_path / "\udcff\u706b"
    run = CliRunner(charset="ascii").invoke(doctor.main, ["--cache", str(folder)])
    assert run.exit_code == 0
    assert f"{tmp_path}/\\udcff\\u706b, not there yet" in run.stdout


def test_help_teaches() -> None:
    """Examples and every exit code stand on the help page."""
    page = here("--help").output
    for words in ("infusion-doctor --json", "0 a render would run", "4 the device", "5 cache"):
        assert words in page


def test_the_document_has_every_section() -> None:
    """The table of docs/doctor.md names them in the page's order, and the flags exist."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "doctor.md").read_text("utf-8")
    assert re.findall(r"^\| ([A-Z]\w+) \|", text, re.MULTILINE) == SECTIONS
    (usage,) = re.findall(r"^infusion-doctor .*$", text, re.MULTILINE)
    assert set(re.findall(r"--[a-z]+", usage)) <= set(re.findall(r"--[a-z]+", here("-h").output))
