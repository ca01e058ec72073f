"""The module `nuke` as the binding sees it: the calls that it makes, typed, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.hosts.nuke.fake_nuke import knobs as _knobs
from tests.hosts.nuke.fake_nuke.knobs import (
    Boolean_Knob,
    Double_Knob,
    Enumeration_Knob,
    File_Knob,
    Int_Knob,
    Knob,
    PyScript_Knob,
    Script_Knob,
    String_Knob,
    Tab_Knob,
    Text_Knob,
)
from tests.hosts.nuke.fake_nuke.nodes import Group, Node, Root
from tests.hosts.nuke.fake_nuke.stage import NO_UNDO as NO_UNDO_FLAG
from tests.hosts.nuke.fake_nuke.stage import STAGE

__all__ = [
    "Boolean_Knob", "Double_Knob", "Enumeration_Knob", "File_Knob", "Group", "Int_Knob", "Knob",
    "Node", "PyScript_Knob", "Root", "Script_Knob", "String_Knob", "Tab_Knob", "Text_Knob",
]  # fmt: skip

GUI: bool = True
NUKE_VERSION_STRING: str = "15.1v3"
STARTLINE: int = 4096
INVISIBLE: int = 1024
NO_ANIMATION: int = 256
NO_UNDO: int = NO_UNDO_FLAG


class NodeConstructor:
    """Makes nodes of one class: `nuke.nodes.Read(name=..., inputs=[...])`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(
        self, *, inputs: Sequence[Node] = (), name: str | None = None, **values: _knobs.Value
    ) -> Node:
        node = STAGE.make(self._kind, name=name)
        for index, above in enumerate(inputs):
            node.setInput(index, above)
        for knob, value in values.items():
            node[knob].setValue(value)
        STAGE.tell(node)
        return node


class CancelledError(Exception):
    """Somebody pressed Cancel."""


class Nodes:
    """Every class that the binding makes nodes of."""

    Copy: NodeConstructor
    Dot: NodeConstructor
    Expression: NodeConstructor
    Grade: NodeConstructor
    Input: NodeConstructor
    Noise: NodeConstructor
    OneView: NodeConstructor
    Output: NodeConstructor
    Radial: NodeConstructor
    Read: NodeConstructor
    Write: NodeConstructor

    def __init__(self) -> None:
        for kind in type(self).__annotations__:
            setattr(self, kind, NodeConstructor(kind))


nodes = Nodes()


class Layer:
    """A layer that the script knows from now on."""

    def __init__(self, name: str, channels: list[str]) -> None:
        STAGE.layers[name] = channels


class ProgressTask:
    """The progress window."""

    def __init__(self, name: str) -> None:
        self._percent = 0
        self._message = name

    def setMessage(self, message: str) -> None:  # noqa: N802 - Nuke's name
        self._message = message

    def setProgress(self, progress: int) -> None:  # noqa: N802
        if not 0 <= progress <= 100:
            raise ValueError(f"{progress} is no percentage")
        self._percent = progress
        STAGE.bars.append((self._percent, self._message))

    def isCancelled(self) -> bool:  # noqa: N802
        return STAGE.is_bar_cancelled


class Undo:
    """The undo history, which can be told to look away."""

    @classmethod
    def disable(cls) -> None:
        STAGE.undo_is_off += 1

    @classmethod
    def enable(cls) -> None:
        STAGE.undo_is_off -= 1


class Format:
    """A size of picture that the script knows from now on."""


class MenuItem:
    """An entry of a menu."""


class Menu(MenuItem):
    """A menu."""

    def __init__(self, path: str) -> None:
        self._path = path

    def addMenu(self, name: str, icon: str = "") -> Menu:  # noqa: N802
        return Menu(f"{self._path}/{name}")

    def addCommand(  # noqa: N802
        self, name: str, command: Callable[[], object], shortcut: str = "", icon: str = ""
    ) -> MenuItem:
        STAGE.commands[f"{self._path}/{name}"] = command
        return MenuItem()


def menu(name: str) -> Menu:
    return Menu(name)


def root() -> Root:
    return STAGE.root


def views() -> list[str]:
    return list(STAGE.views)


def thisNode() -> Node:  # noqa: N802
    if STAGE.this is None:
        raise ValueError("there is no node here")
    return STAGE.this


def thisKnob() -> Knob:  # noqa: N802
    if STAGE.this_knob is None:
        raise ValueError("there is no knob here")
    return STAGE.this_knob


def toNode(s: str) -> Node | None:  # noqa: N802
    found: Node | None = STAGE.root
    for name in s.split("."):
        found = found.node(name) if isinstance(found, Group) else None
    return found


def allNodes(  # noqa: N802
    filter: str | None = None,  # noqa: A002 - Nuke's name
    group: Group | None = None,
    recurseGroups: bool = False,  # noqa: N803
) -> list[Node]:
    found: list[Node] = []
    for node in (group or STAGE.context[-1]).nodes():
        found.append(node)
        if recurseGroups and isinstance(node, Group):
            found += allNodes(None, node, recurseGroups)
    return [node for node in found if filter is None or node.Class() == filter]


def createNode(typ: str, knobs: str = "", inpanel: bool = True) -> Node:  # noqa: N802
    node = STAGE.make(typ)
    if STAGE.selected is not None and typ != "Group":  # a new Group has no inputs
        node.setInput(0, STAGE.selected)
    STAGE.tell(node)
    return node


def selectedNodes() -> list[Node]:  # noqa: N802
    return [] if STAGE.selected is None else [STAGE.selected]


def delete(n: Node) -> None:
    n.remove()


def execute(  # noqa: PLR0917 - as in Nuke
    nameOrNode: Node | str,  # noqa: N803
    start: int,
    end: int,
    incr: int = 1,
    views: list[str] = [],  # noqa: B006 - as in Nuke: none means all
    continueOnError: bool = False,  # noqa: N803
) -> None:
    from tests.hosts.nuke.fake_nuke import pictures

    node = toNode(nameOrNode) if isinstance(nameOrNode, str) else nameOrNode
    if node is None or node.Class() != "Write":
        raise RuntimeError(f"{nameOrNode} cannot be executed")
    if node["disable"].value():
        raise RuntimeError(f"{node.fullName()} is disabled")
    _knobs.RENDERING.set()
    try:
        for frame in range(start, end + 1, incr):
            if frame == STAGE.breaks_at:
                raise RuntimeError(f"{node.fullName()}: Out of buffers")
            if frame == STAGE.cancelled_at:
                raise STAGE.cancels_by("Cancelled")
            pictures.write(node, frame)
            STAGE.rendered.append((node.fullName(), frame))
    finally:
        _knobs.RENDERING.clear()


def executing(f: float | None = None) -> bool:
    return _knobs.RENDERING.is_set()


def executeInMainThread(  # noqa: N802
    call: Callable[..., object], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = {}
) -> None:
    STAGE.ask_main_thread(call, args)


def message(prompt: str) -> None:
    STAGE.messages.append(prompt)


def tprint(*args: object) -> None:
    STAGE.printed.append(" ".join(map(str, args)))


def addOnCreate(call: Callable[[], None], *, nodeClass: str) -> None:  # noqa: N802, N803
    STAGE.created.append((call, nodeClass))


def addKnobChanged(call: Callable[[], None], *, nodeClass: str) -> None:  # noqa: N802, N803
    STAGE.changed.append((call, nodeClass))


def addFormat(s: str) -> Format:  # noqa: N802
    width, height, *_, name = s.split()
    STAGE.formats[name] = int(width), int(height)
    return Format()


def pluginAddPath(args: str, addToSysPath: bool = True) -> None:  # noqa: N802, N803
    STAGE.plugin_paths.insert(0, args)


def sample(  # noqa: PLR0917 - as in Nuke
    node: Node, channel: str, x: float, y: float, dx: float = 1, dy: float = 1
) -> float:
    from tests.hosts.nuke.fake_nuke import pictures

    found = pictures.picture(node, frame())
    name = channel if "." in channel else f"rgba.{channel}"
    pixels = found.get(name)
    return 0.0 if pixels is None else float(pixels[pixels.shape[0] - 1 - int(y), int(x)])


def frame(f: int | None = None) -> int:
    if f is not None:
        STAGE.frame = f
    return STAGE.frame


def scriptOpen(filename: str) -> None:  # noqa: N802
    STAGE.open(Path(filename))


def scriptSave(filename: str) -> bool:  # noqa: N802
    Path(filename).write_text(STAGE.text(), "utf-8")
    return True


def scriptSaveAs(filename: str, overwrite: bool = False) -> None:  # noqa: N802
    if Path(filename).exists() and not overwrite:
        raise RuntimeError(f"{filename} exists")
    STAGE.root["name"].setValue(Path(filename).as_posix())
    scriptSave(filename)


def scriptClear() -> None:  # noqa: N802
    STAGE.clear()


def nodeCopy(s: str) -> None:  # noqa: N802
    assert STAGE.selected is not None
    Path(s).write_text(STAGE.text([STAGE.selected]), "utf-8")


def nodePaste(s: str) -> Node | None:  # noqa: N802
    made = STAGE.read(Path(s).read_text("utf-8"), is_paste=True)
    return made[0] if made else None
