"""Install: copy the extension, with the node and this host inside, to where Blender looks."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import infusion_node
from infusion_node.errors import FolderError
from infusion_node.job_folder import cannot_write

EXTENSION_ID = "infusion_inpaint"
"""The extension's id in its manifest, and the name of its folder."""

_HERE = Path(__file__).resolve().parent
_LEFT_OUT = ("__pycache__", "extension", "install.py")


def install(destination: Path) -> Path:
    """Copy the extension into `destination`/infusion_inpaint, in the place of an older one.

    `destination` is a folder of extensions, such as `extensions/user_default` in Blender's own
    folder. The copy is whole before anything of the old one goes. Returns its folder.

    Raises:
        FolderError: the disk refused, or what is there is not ours.
    """
    target = destination / EXTENSION_ID
    if target.exists() and not _is_ours(target):
        raise FolderError(
            f"'{target}' is there already, and is no Infusion Inpaint extension.",
            remedy="Move it away, or choose another folder.",
        )
    try:
        destination.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{EXTENSION_ID}-", dir=destination))
        try:
            _copy_into(scratch / "new")
            _put_in_place(scratch / "new", target, scratch / "old")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise cannot_write(target, error) from None
    return target


def _copy_into(folder: Path) -> None:
    """Everything the extension is made of."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_HERE / "extension", folder, ignore=ignored)
    lib = folder / "lib"
    node = Path(str(infusion_node.__file__)).resolve().parent
    shutil.copytree(node, lib / "infusion_node", ignore=ignored)
    hosts = lib / "infusion_hosts"
    shutil.copytree(_HERE, hosts / _HERE.name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    shutil.copyfile(_HERE.parent / "__init__.py", hosts / "__init__.py")


def _put_in_place(new: Path, target: Path, old: Path) -> None:
    """Move the new folder to the target, whose old content stays there when that fails."""
    was_there = target.exists()
    if was_there:
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if was_there:
            old.rename(target)
        raise


def _is_ours(folder: Path) -> bool:
    """True when the folder holds our extension, of whatever version."""
    try:
        manifest = (folder / "blender_manifest.toml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(rf'^id\s*=\s*"{EXTENSION_ID}"\s*$', manifest, re.MULTILINE) is not None
