"""Pictures: what a node of the fake gives for a frame, and the Write that writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.hosts.nuke.fake_nuke.nodes import Group, Node

Picture = dict[str, "np.ndarray[Any, np.dtype[np.float32]]"]
"""(H, W) by Nuke's name of the channel."""

_RGB = ("rgba.red", "rgba.green", "rgba.blue")
_WRITTEN = {"rgb": _RGB, "rgba": (*_RGB, "rgba.alpha")}
_FILE_NAMES = {"R": "red", "G": "green", "B": "blue", "A": "alpha"}


def picture(node: Node | None, frame: int) -> Picture:
    """What comes out of a node."""
    if node is None:
        return {}
    kind = node.Class()
    if kind == "Input":
        group = node.parent()
        assert group is not None
        return picture(group.input(int(node["number"].value())), frame)
    if isinstance(node, Group):
        (output,) = (inside for inside in node.nodes() if inside.Class() == "Output")
        return picture(output, frame)
    if node["disable"].value():
        return picture(node.input(0), frame)
    if kind == "Read":
        return _read(node, frame)
    if kind in ("Noise", "Radial"):
        return _generated(node, frame)
    below = dict(picture(node.input(0), frame))
    if kind == "Grade":
        for name in ("rgba.red", "rgba.green", "rgba.blue"):
            below[name] = below[name] * np.float32(node["multiply"].value())
    if kind == "Copy":
        _copy(node, below, picture(node.input(1), frame))
    if kind == "Expression":
        _express(node, below, frame)
    return below


def write(node: Node, frame: int) -> None:
    """What a Write does for one frame."""
    import OpenEXR

    path = str(node["file"].value())
    if node["file_type"].value() != "exr":
        raise RuntimeError(f"{node.fullName()}: the fake writes EXR alone")
    path = path % frame if "%" in path else path
    channels = {
        _in_file(name): pixels.astype(np.float16)
        for name, pixels in picture(node.input(0), frame).items()
        if name in _WRITTEN.get(str(node["channels"].value()), (name,))
    }
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
    with OpenEXR.File(header, channels) as file:
        file.write(path)


def _read(node: Node, frame: int) -> Picture:
    """A frame from a file; black beyond the range where the knobs say so."""
    first, last = int(node["first"].value()), int(node["last"].value())
    near = min(max(frame, first), last)
    edge = node["before" if frame < first else "after"].value()
    name = str(node["file"].value())
    path = Path(name % near if "%" in name else name)
    if not path.is_file():
        if (near != frame and edge == "black") or node["on_error"].value() == "black":
            return {}
        raise RuntimeError(f"{node.fullName()}: {path}: No such file or directory")
    import OpenEXR

    with OpenEXR.File(str(path), separate_channels=True) as file:
        found = {
            _in_nuke(channel): np.asarray(stored.pixels, np.float32)
            for channel, stored in file.parts[0].channels.items()
        }
    if near != frame and edge == "black":
        return {channel: np.zeros_like(pixels) for channel, pixels in found.items()}
    return found


def _generated(node: Node, frame: int) -> Picture:
    """Moving grain, or a box of ones."""
    stage = node.stage
    width, height = stage.formats.get(str(stage.root["format"].value()), (48, 40))
    if node.Class() == "Noise":
        y, x = np.mgrid[0:height, 0:width]
        grain = np.random.default_rng(frame).random((height, width)) * 0.1
        waves = (0.5 + 0.3 * np.sin(x / 4 + y / 7 + frame) + grain).astype(np.float32)
        return {f"rgba.{name}": waves for name in ("red", "green", "blue", "alpha")}
    left, bottom, right, top = (int(edge) for edge in node["area"].value())
    shape = np.zeros((height, width), np.float32)
    shape[height - top : height - bottom, left:right] = 1
    return {f"rgba.{name}": shape for name in ("red", "green", "blue", "alpha")}


def _copy(node: Node, below: Picture, above: Picture) -> None:
    """What the Copy node does to B; a channel that A has not got is black."""
    for index in range(4):
        source, target = node[f"from{index}"].value(), node[f"to{index}"].value()
        if target != "none":
            black = np.zeros_like(next(iter(below.values())))
            below[target] = above.get(source, black)


def _express(node: Node, below: Picture, frame: int) -> None:
    """What the Expression node does: nested `a ? b : c` and `a && b` over channels and `frame`."""
    before = {**below, "frame": np.float32(frame)}
    group = node.parent()
    if group is not None:  # only numbers of the panel are asked for
        held = {f"parent.{knob.name()}": knob.value() for knob in group.user_knobs()}
        before |= held
    for index in range(4):
        text, target = str(node[f"expr{index}"].value()), str(node[f"channel{index}"].value())
        if text:
            black = np.zeros_like(next(iter(below.values())))
            below[target] = np.asarray(_value(text, before) + black, np.float32)


def _value(text: str, before: Mapping[str, Any]) -> Any:
    """An expression over arrays."""
    text = text.strip()
    while text.startswith("(") and _end(text, 0) == len(text) - 1:
        text = text[1:-1].strip()
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "?" and depth == 0:
            middle = next(
                at for at in range(place, len(text))
                if text[at] == ":" and text[place:at].count("(") == text[place:at].count(")")
            )  # fmt: skip
            parts = text[:place], text[place + 1 : middle], text[middle + 1 :]
            condition, yes, no = (_value(part, before) for part in parts)
            return np.where(condition, yes, no)
    if "&&" in text:
        left, _, right = text.partition("&&")
        return np.logical_and(_value(left, before), _value(right, before))
    names = {"r": "rgba.red", "g": "rgba.green", "b": "rgba.blue", "a": "rgba.alpha"}
    found: dict[str, Any] = {}

    def named(match: re.Match[str]) -> str:
        channel = names.get(match.group(), match.group())
        found[channel.replace(".", "_")] = before[channel]
        return channel.replace(".", "_")

    python = re.sub(r"[A-Za-z_]\w*(\.\w+)?", named, text)
    return eval(python, {"__builtins__": {}}, found)  # noqa: S307 - the binding's own text


def _end(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return -1


def _in_nuke(channel: str) -> str:
    """`infusion.R` as Nuke calls it."""
    layer, _, name = channel.rpartition(".")
    return f"{layer or 'rgba'}.{_FILE_NAMES.get(name, name)}"


def _in_file(channel: str) -> str:
    """`rgba.red` as Nuke writes it into an EXR."""
    layer, _, name = channel.rpartition(".")
    short = {long: letter for letter, long in _FILE_NAMES.items()}
    name = short.get(name, name)
    return name if layer == "rgba" else f"{layer}.{name}"
