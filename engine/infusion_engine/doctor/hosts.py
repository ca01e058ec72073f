"""Hosts: the folders from which Nuke and Blender load plug-ins, and whether ours lies there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from infusion_engine.doctor.findings import Finding, ok

NUKE_MARKER = "infusion-nuke.txt"
"""The file by which the folder of our plug-in for Nuke is known."""
BLENDER_EXTENSION = "infusion_inpaint"
"""The folder of our extension for Blender."""
_EXTENSIONS = Path("extensions", "user_default")
"""Where Blender keeps what a user installs, below the folder of its resources."""


def checks(environment: Mapping[str, str], home: Path, system: str) -> Sequence[Finding]:
    """Of the user whose folder `home` is; `system` is `sys.platform`. None installed is well."""
    nuke = nuke_folders(environment, home)
    blender = blender_folders(environment, home, system)
    return (
        *_told("Nuke", {folder: _nuke_plugin(folder) for folder in nuke}),
        *_told("Blender", {folder: _extension(folder) for folder in blender}),
    )


def nuke_folders(environment: Mapping[str, str], home: Path) -> list[Path]:
    """Where Nuke looks for plug-ins: `NUKE_PATH`, then the user's own."""
    named = environment.get("NUKE_PATH", "").split(os.pathsep)
    return [*(Path(folder) for folder in named if folder), home / ".nuke"]


def blender_folders(environment: Mapping[str, str], home: Path, system: str) -> list[Path]:
    """Where a user's extensions lie, for each version of Blender that has such a folder."""
    named = environment.get("BLENDER_USER_RESOURCES")
    if named:
        return [Path(named) / _EXTENSIONS]
    if system == "win32":
        roaming = environment.get("APPDATA") or home / "AppData" / "Roaming"
        versions = Path(roaming, "Blender Foundation", "Blender")
    elif system == "darwin":
        versions = home / "Library" / "Application Support" / "Blender"
    else:
        versions = Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "blender")
    return sorted(versions.glob(f"*/{_EXTENSIONS.as_posix()}"))


def _told(host: str, plugins: Mapping[Path, Path | None]) -> list[Finding]:
    """A line for each folder, or one line for all of them where ours is in none."""
    if any(plugins.values()):
        return [
            ok(host, f"{folder}: none" if plugin is None else f"installed: {plugin}")
            for folder, plugin in plugins.items()
        ]
    looked = ", ".join(map(str, plugins))
    return [ok(host, f"none installed; looked in {looked}" if looked else "none installed")]


def _nuke_plugin(folder: Path) -> Path | None:
    """Our plug-in in a folder of Nuke's, which may lie inside it; None where it is not there."""
    # infusion-install makes a folder that NUKE_PATH names, or one in the user's own.
    for path in (folder, folder / "infusion"):
        # os.path, and not Path: a folder that may not be looked into is none.
        if os.path.isfile(path / NUKE_MARKER):  # noqa: PTH113
            return path
    return None


def _extension(folder: Path) -> Path | None:
    """Our extension among a user's; None where it is not there."""
    path = folder / BLENDER_EXTENSION
    return path if os.path.isdir(path) else None  # noqa: PTH112 - as above
