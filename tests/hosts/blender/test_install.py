"""What `install` copies, and that the node in the copy needs nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import infusion_hosts.blender_host.install as installing
from infusion_hosts.blender_host.install import install
from infusion_node.errors import FolderError

HOST = Path(installing.__file__).parent


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _sources(folder: Path) -> set[str]:
    return {name for name in _files(folder) if "__pycache__" not in name}


def test_the_copy_holds_the_extension_the_node_and_this_host(
    tmp_path: Path, checkout: Path
) -> None:
    """Exactly their files, nothing compiled, no other host, nothing of the engine."""
    folder = install(tmp_path / "user_default")
    assert folder == tmp_path / "user_default" / "infusion_inpaint"
    host = {
        name
        for name in _sources(HOST)
        if not name.startswith("extension/") and name != "install.py"
    }
    assert _files(folder) == {
        "blender_manifest.toml",
        "__init__.py",
        "lib/infusion_hosts/__init__.py",
        *(f"lib/infusion_node/{name}" for name in _sources(checkout / "infusion_node")),
        *(f"lib/infusion_hosts/blender_host/{name}" for name in host),
    }
    assert [path.name for path in folder.parent.iterdir()] == ["infusion_inpaint"]


def test_the_node_in_the_copy_loads_without_anything_else(tmp_path: Path) -> None:
    """Every module of the node imports with the standard library and `lib` alone."""
    lib = install(tmp_path) / "lib"
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in sorted(_files(lib))
        if name.startswith("infusion_node/")
    ]
    assert "infusion_node.node" in modules
    program = f"import sys; sys.path.insert(0, {str(lib)!r})\n" + "".join(
        f"import {name}\n" for name in modules
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, timeout=60)


def test_a_second_install_replaces_the_first(tmp_path: Path) -> None:
    """What an older version left goes, and nothing else of the folder does."""
    folder = install(tmp_path)
    (folder / "lib" / "infusion_node" / "gone.py").write_text("")
    (tmp_path / "another").mkdir()
    expected = _files(folder) - {"lib/infusion_node/gone.py"}
    assert install(tmp_path) == folder
    assert _files(folder) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "infusion_inpaint"]


@pytest.mark.parametrize("manifest", [None, 'id = "another"\n', "\xff"])
def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path, manifest: str | None) -> None:
    """It is named in the message, and keeps what it holds."""
    folder = tmp_path / "infusion_inpaint"
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    if manifest is not None:
        (folder / "blender_manifest.toml").write_bytes(manifest.encode("latin-1"))
    before = _files(tmp_path)
    with pytest.raises(FolderError, match="no Infusion Inpaint extension"):
        install(tmp_path)
    assert _files(tmp_path) == before


def test_the_manifest_says_what_blender_asks_for(checkout: Path) -> None:
    """The id that `install` uses, the project's version, and why it needs the disk."""
    manifest = tomllib.loads((HOST / "extension" / "blender_manifest.toml").read_text("utf-8"))
    project = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]
    assert manifest["schema_version"] == "1.0.0"
    assert manifest["id"] == installing.EXTENSION_ID
    assert manifest["version"] == project["version"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]
    assert list(manifest["permissions"]) == ["files"]
    assert len(manifest["permissions"]["files"]) <= 64  # Blender refuses more
    assert not manifest["permissions"]["files"].endswith(".")
    assert len(manifest["tagline"]) <= 64
