"""What pip installs: the three packages, the commands, and pins for all that they need."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def project(checkout: Path) -> dict[str, Any]:
    """The `[project]` table."""
    table: dict[str, Any] = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return table


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built offline."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=checkout,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """The engine, the node and the host bindings; no tests, docs or examples."""
    roots = {name.split("/")[0] for name in wheel.namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {
        "infusion_engine", "infusion_node", "infusion_hosts",
    }  # fmt: skip


def test_the_wheel_holds_every_file_of_the_packages(checkout: Path, wheel: zipfile.ZipFile) -> None:
    """Nothing that git would keep is left out, whatever it is called."""
    for root in ("infusion_node", "engine/infusion_engine", "host_bindings/infusion_hosts"):
        folder = checkout / root
        expected = {
            str(path.relative_to(folder.parent))
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert expected
        assert expected - set(wheel.namelist()) == set()


def test_every_command_has_its_module(project: dict[str, Any], wheel: zipfile.ZipFile) -> None:
    """A console script leads to a file of the wheel that has a `main`."""
    assert {"infusion-render", "infusion-cache", "infusion-evaluate"} <= set(project["scripts"])
    for target in project["scripts"].values():
        module, function = target.split(":")
        source = wheel.read(module.replace(".", "/") + ".py").decode()
        assert f"\ndef {function}(" in source


def test_the_licence_goes_with_the_wheel(wheel: zipfile.ZipFile) -> None:
    """MIT asks that the text stays with every copy."""
    (licence,) = [name for name in wheel.namelist() if name.endswith("/LICENSE")]
    assert "The Infusion Inpaint authors" in wheel.read(licence).decode()


def test_every_requirement_is_pinned_within_its_range(
    checkout: Path, project: dict[str, Any]
) -> None:
    """The constraints file says one exact version for each, which the ranges allow."""
    lines = (checkout / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    further = project["optional-dependencies"].values()
    texts = [*project["dependencies"], *(text for extra in further for text in extra)]
    for requirement in map(Requirement, texts):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement} has no pin"
        assert requirement.specifier.contains(pin), f"{requirement} does not allow {pin}"


def test_every_third_party_import_is_required(checkout: Path, project: dict[str, Any]) -> None:
    """The engine imports nothing that only happens to be installed."""
    distributions = {
        "PIL": "pillow", "OpenEXR": "openexr", "OpenImageIO": "openimageio",
        "opencue": "opencue-pycue", "outline": "opencue-pyoutline",
        "skimage": "scikit-image", "yaml": "pyyaml",
    }  # fmt: skip
    needed = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    by_opencue = {"opencue-pycue", "opencue-pyoutline"}  # imported by `infusion-farm` alone
    required = needed | by_opencue
    imported = set()
    for path in (checkout / "engine").rglob("*.py"):
        found = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text("utf-8"), re.MULTILINE)
        imported |= set(found)
    foreign = imported - sys.stdlib_module_names - {"infusion_engine", "infusion_node"}
    assert {canonicalize_name(distributions.get(name, name)) for name in foreign} == required
