"""Whether a Read's files hold, frame for frame, what the Read gives; the host writes where not."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Optional

import nuke

_LINEAR = ("linear", "scene_linear")
_READABLE = (".exr", ".dpx", ".png", ".tif", ".tiff", ".jpg", ".jpeg")


def source_of(node: nuke.Node, index: int) -> Optional[nuke.Node]:
    """What is connected to an input, behind any Dots; None when nothing is."""
    found = node.input(index)
    while found is not None and found.Class() == "Dot":
        found = found.input(0)
    return found


def files_of(source: nuke.Node, view: str) -> Optional[str]:
    """The files of a Read that changes nothing, as a pattern; None for everything else.

    `view` takes the place of %V, and its first letter that of %v. Whatever is not certain is None:
    a frame that is written once too often does no harm.
    """
    if source.Class() != "Read" or _on(source, "disable"):
        return None
    raw = str(source["file"].value() or "")
    if not raw or "[" in raw or not Path(raw).is_absolute():
        return None  # TCL and the project's directory are Nuke's own business
    if PurePath(raw).suffix.lower() not in _READABLE:
        return None
    if not _is_raw(source) or not _keeps_time(source):
        return None
    files = raw.replace("%V", view).replace("%v", view[:1])
    first, last = int(source["first"].value()), int(source["last"].value())
    path = _frame_path(files, first)
    if path is None or not path.is_file():
        return None  # found through a filename filter, or not there at all: Nuke will say
    if path.as_posix() == files and first != last:
        return None  # one picture that Nuke holds for many frames
    return files


def has_view_token(source: nuke.Node) -> bool:
    """True for a Read whose path names its view."""
    return source.Class() == "Read" and bool(re.search("%[Vv]", str(source["file"].value() or "")))


def suffix_for(source: nuke.Node) -> str:
    """What the host writes of this source: `.dpx` for the bare code values of a DPX Read."""
    if source.Class() == "Read" and not _on(source, "disable"):
        is_dpx = str(source["file"].value() or "").lower().endswith(".dpx")
        if is_dpx and _on(source, "raw"):
            return ".dpx"
    return ".exr"


def _is_raw(read: nuke.Node) -> bool:
    """True when the Read hands on the file's own values."""
    if _on(read, "raw"):
        return True
    if PurePath(str(read["file"].value())).suffix.lower() != ".exr":
        return False
    text = str(read["colorspace"].value() or "").strip().lower()
    inside = re.fullmatch(r"default \((.*)\)", text)
    if inside is not None:
        text = inside.group(1).strip()
    return text in _LINEAR or text.startswith("scene_linear (")


def _keeps_time(read: nuke.Node) -> bool:
    """True when frame N of the Read is file N."""
    text = str(read["frame"].value() or "").strip()
    if not text:
        return True
    return str(read["frame_mode"].value()) == "offset" and text in ("0", "+0", "-0")


def _frame_path(files: str, frame: int) -> Optional[Path]:
    """The file of one frame; the path itself for a still; None when the pattern is not ours."""
    name = PurePath(files).name
    folder = Path(files).parent
    hashes = re.findall("#+", name)
    numbers = re.findall(r"%0?[0-9]*d", name)
    if len(hashes) + len(numbers) > 1 or re.search("[#%]", str(folder)):
        return None
    if hashes:
        return folder / name.replace(hashes[0], f"{frame:0{len(hashes[0])}d}")
    if numbers:
        return folder / name.replace(numbers[0], numbers[0] % frame)
    return None if "%" in name else folder / name


def _on(node: nuke.Node, name: str) -> bool:
    """True when the node has that switch and it is on."""
    knob = node.knob(name)
    return knob is not None and bool(knob.value())
