"""The examination: all sections in their order, whatever is wrong with one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BROKEN = """
import sys
from pathlib import Path
sys.modules["torch"] = sys.modules["OpenImageIO"] = None  # as if they could not be imported
from infusion_engine.doctor.examination import examine
for section in examine(cache=Path(sys.argv[1]), device="auto"):
    for finding in section.findings:
        print(section.name, finding.name, finding.outcome.value, finding.found, sep="|")
"""


def test_libraries_that_cannot_be_imported_fail_where_they_are_used(tmp_path: Path) -> None:
    """Their sections tell it by name, and the others are looked at all the same."""
    run = subprocess.run(
        [sys.executable, "-c", BROKEN, str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (0, "")
    rows = [line.split("|", 3) for line in run.stdout.splitlines()]
    failed = {(section, name): found for section, name, word, found in rows if word == "failed"}
    assert failed.keys() == {
        ("Versions", "OpenColorIO"),
        ("Device", "Device"),
        ("Arithmetic", "Arithmetic"),
        ("Codecs", "Codecs"),
    }
    assert "torch" in failed["Device", "Device"]
    assert "OpenImageIO" in failed["Codecs", "Codecs"]
    sections = list(dict.fromkeys(section for section, *_ in rows))
    assert sections == [
        "Versions", "Device", "Arithmetic", "Engine", "Codecs", "Cache", "Disk", "Hosts",
    ]  # fmt: skip


def test_the_doctor_starts_without_the_large_libraries() -> None:
    """Help, and the first line of the page, do not wait for torch or OpenImageIO."""
    code = (
        "import sys; import infusion_engine.cli.doctor; "
        "print(sorted({'torch', 'numpy', 'OpenImageIO', 'OpenEXR'} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "[]\n"
