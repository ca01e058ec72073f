"""The import contracts of pyproject.toml hold, and would notice if they did not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOTS = ("infusion_node", "engine", "host_bindings")


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the packages below `folder`, with that folder's own configuration."""
    roots = [str(folder), str(folder / "engine"), str(folder / "host_bindings")]
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_import_keeps_the_contracts(checkout: Path) -> None:
    """The rooms import downwards only, and every module has been given a room."""
    run = _lint(checkout)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        ("engine/infusion_engine/utils.py", "", "infusion_engine.utils"),
        ("infusion_node/helpers.py", "", "infusion_node.helpers"),
        ("engine/infusion_engine/media/bad.py", "import infusion_engine.cache.key", "rooms BROKEN"),
        ("engine/infusion_engine/bad/__init__.py", "", "infusion_engine.bad"),
        ("infusion_node/wire/bad.py", "import infusion_engine", "never import each other BROKEN"),
        ("host_bindings/infusion_hosts/bad.py", "import infusion_engine.errors", "other BROKEN"),
        ("engine/infusion_engine/media/bad.py", "import infusion_node.node", "node BROKEN"),
    ],
)
def test_a_breach_is_noticed(
    checkout: Path, tmp_path: Path, module: str, line: str, complaint: str
) -> None:
    """A module in the wrong place, or an import upwards or sideways, fails the check."""
    for root in ROOTS:
        shutil.copytree(
            checkout / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    node = tmp_path / "infusion_node" / "node.py"
    if not node.exists():
        node.write_text('"""A stand-in for the node."""\n')
    (tmp_path / module).parent.mkdir(exist_ok=True)
    (tmp_path / module).write_text(f'"""A breach."""\n{line}\n')
    run = _lint(tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert complaint in " ".join(run.stdout.split())
