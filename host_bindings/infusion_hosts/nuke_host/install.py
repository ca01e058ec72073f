"""Installs start-up files, node and binding into a folder that NUKE_PATH names."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import infusion_hosts
import infusion_node
from infusion_node.errors import FolderError

MARKER = "infusion-nuke.txt"
"""The file by which a folder of ours is known."""

_MARK = (
    "Infusion Inpaint for Nuke. infusion-install wrote this folder and replaces it as a whole.\n"
)
_LEFT_OUT = ("__pycache__", "plugin", "install.py")


def install(destination: Path) -> Path:
    """Put the node into `destination` and return it; an older one of ours is replaced whole.

    Nothing but the standard library is needed there: no engine, no numpy.

    Raises:
        FolderError: the folder holds something that is not ours, or cannot be written.
    """
    destination = Path(os.path.abspath(destination.expanduser()))  # noqa: PTH100 - keeps links
    _refuse_what_is_not_ours(destination)
    fresh = destination.with_name(f".{destination.name}.{os.getpid()}")
    old = destination.with_name(f".{destination.name}.{os.getpid()}.old")
    try:
        fresh.parent.mkdir(parents=True, exist_ok=True)
        _fill(fresh)
        if destination.exists():
            destination.rename(old)
        fresh.rename(destination)
    except OSError as error:
        if old.exists() and not destination.exists():
            with suppress(OSError):
                old.rename(destination)
        raise FolderError(
            f"Cannot write '{destination}': {error.strerror or error}.",
            remedy="Choose a folder that you may write to.",
        ) from None
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
    return destination


def _fill(folder: Path) -> None:
    """Everything that Nuke needs, below `folder`, which does not exist."""
    here = Path(__file__).resolve().parent
    shutil.copytree(here / "plugin", folder, ignore=shutil.ignore_patterns("__pycache__"))
    lib = folder / "lib"
    node = Path(infusion_node.__file__).resolve().parent
    shutil.copytree(node, lib / "infusion_node", ignore=shutil.ignore_patterns("__pycache__"))
    hosts = lib / "infusion_hosts"
    shutil.copytree(here, hosts / "nuke_host", ignore=shutil.ignore_patterns(*_LEFT_OUT))
    shutil.copy(Path(infusion_hosts.__file__).resolve(), hosts / "__init__.py")
    (folder / MARKER).write_text(_MARK, "utf-8")


def _refuse_what_is_not_ours(destination: Path) -> None:
    """Raise FolderError for anything there that an earlier install did not write."""
    if not destination.exists() or (destination / MARKER).is_file():
        return
    if not destination.is_dir() or any(destination.iterdir()):
        raise FolderError(
            f"'{destination}' is there and was not written by infusion-install.",
            remedy="Name a new folder, such as ~/.nuke/infusion.",
        )
