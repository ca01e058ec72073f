"""Hosts: the folders that Nuke and Blender look into, and plug-ins of ours that lie there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infusion_engine.doctor.findings import Outcome
from infusion_engine.doctor.hosts import blender_folders, checks, nuke_folders


def told(environment: Mapping[str, str], home: Path) -> dict[str, list[str]]:
    """What is said of each host, on Linux."""
    findings = checks(environment, home, "linux")
    assert {finding.outcome for finding in findings} == {Outcome.OK}
    return {
        host: [finding.found for finding in findings if finding.name == host]
        for host in ("Nuke", "Blender")
    }


def test_none_installed_is_well(tmp_path: Path) -> None:
    """One line a host; of Nuke it is said where plug-ins would be."""
    looked = f"none installed; looked in {tmp_path / 'studio'}, {tmp_path / '.nuke'}"
    assert told({"NUKE_PATH": str(tmp_path / "studio")}, tmp_path) == {
        "Nuke": [looked],
        "Blender": ["none installed"],
    }


def test_a_plug_in_of_nuke_is_found_in_each_folder(tmp_path: Path) -> None:
    """Every folder of NUKE_PATH, and the user's own, has a line; empty entries are none."""
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / "infusion-nuke.txt").touch()
    environment = {"NUKE_PATH": os.pathsep.join([str(first), "", str(second)])}
    assert told(environment, tmp_path)["Nuke"] == [
        f"{first}: none",
        f"installed: {second}",
        f"{tmp_path / '.nuke'}: none",
    ]


def test_what_infusion_install_makes_for_nuke_is_found(tmp_path: Path) -> None:
    """In the folder that the page for Nuke names, without NUKE_PATH."""
    command = Path(sys.executable).parent / "infusion-install"
    folder = tmp_path / ".nuke" / "infusion"
    subprocess.run([command, "nuke", folder], check=True, capture_output=True)
    assert told({}, tmp_path)["Nuke"] == [f"installed: {folder}"]


def test_an_extension_of_blender_is_found_for_each_version(tmp_path: Path) -> None:
    """Versions that have a folder of extensions have a line each."""
    for version in ("4.2", "4.5"):
        (tmp_path / ".config/blender" / version / "extensions/user_default").mkdir(parents=True)
    (tmp_path / ".config/blender/3.6").mkdir()
    four_five = tmp_path / ".config/blender/4.5/extensions/user_default"
    assert told({}, tmp_path)["Blender"][0].startswith("none installed; looked in ")
    (four_five / "infusion_inpaint").mkdir()
    assert told({}, tmp_path)["Blender"] == [
        f"{tmp_path / '.config/blender/4.2/extensions/user_default'}: none",
        f"installed: {four_five / 'infusion_inpaint'}",
    ]


@pytest.mark.parametrize(
    ("system", "environment", "folder"),
    [
        ("linux", {}, ".config/blender/4.5/extensions/user_default"),
        ("linux", {"XDG_CONFIG_HOME": "xdg"}, "xdg/blender/4.5/extensions/user_default"),
        ("darwin", {}, "Library/Application Support/Blender/4.5/extensions/user_default"),
        (
            "win32",
            {"APPDATA": "roaming"},
            "roaming/Blender Foundation/Blender/4.5/extensions/user_default",
        ),
        ("linux", {"BLENDER_USER_RESOURCES": "own"}, "own/extensions/user_default"),
    ],
)
def test_blender_keeps_extensions_where_its_system_does(
    tmp_path: Path, system: str, environment: dict[str, str], folder: str
) -> None:
    """And where the environment says, if it does."""
    (tmp_path / folder).mkdir(parents=True)
    named = {name: str(tmp_path / value) for name, value in environment.items()}
    assert blender_folders(named, tmp_path, system) == [tmp_path / folder]


def test_nuke_looks_into_the_user_s_folder_last(tmp_path: Path) -> None:
    """As Nuke does."""
    environment = {"NUKE_PATH": os.pathsep.join(["a", "b"])}
    assert nuke_folders(environment, tmp_path) == [Path("a"), Path("b"), tmp_path / ".nuke"]
