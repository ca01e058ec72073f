"""infusion-install as a person meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from infusion_hosts.install import main

SIGNS = {"nuke": "infusion-nuke.txt", "blender": "infusion_inpaint/blender_manifest.toml"}


@pytest.mark.parametrize("host", SIGNS)
def test_it_copies_the_node_and_says_where_and_what_next(tmp_path: Path, host: str) -> None:
    """Twice: the second time brings the copy up to date."""
    folder = tmp_path / "plug-ins"
    for _ in range(2):
        told = CliRunner().invoke(main, [host, str(folder)])
        assert (told.exit_code, told.stderr) == (0, "")
        assert str(folder) in told.stdout
    assert (folder / SIGNS[host]).is_file()
    assert not list(folder.rglob("__pycache__"))
    assert not list(folder.rglob("infusion_engine"))


@pytest.mark.parametrize("host", SIGNS)
def test_what_is_not_ours_is_left_alone(tmp_path: Path, host: str) -> None:
    """Somebody's folder where ours should be: exit code 5, one message, all as it was."""
    target = tmp_path / "plug-ins"
    mine = (target / SIGNS[host]).parent / "mine.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    told = CliRunner().invoke(main, [host, str(target)])
    assert told.exit_code == 5
    assert str(mine.parent) in told.stderr
    assert list(mine.parent.iterdir()) == [mine]


def test_its_help_teaches() -> None:
    """Examples and exit codes stand in it."""
    told = CliRunner().invoke(main, ["--help"]).stdout
    assert "infusion-install nuke ~/.nuke/infusion" in told
    assert "Exit codes" in told
