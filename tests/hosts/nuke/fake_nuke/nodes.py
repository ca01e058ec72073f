"""Nodes, Groups and the root: knobs by class, connections, names, and deletion."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.hosts.nuke.fake_nuke import knobs as k

if TYPE_CHECKING:
    from tests.hosts.nuke.fake_nuke.stage import Stage

Make = Callable[[], k.Knob]

_ENDS = ("from", "to")
_COLOURS = ["default (linear)", "linear", "sRGB", "scene_linear (ACES - ACEScg)", "ACES2065-1"]
_EDGES = ["hold", "loop", "bounce", "black"]

CLASSES: dict[str, tuple[Make, ...]] = {
    "Input": (partial(k.Int_Knob, "number"),),
    "Output": (),
    "Dot": (),
    "OneView": (partial(k.String_Knob, "view"),),
    "Grade": (partial(k.Double_Knob, "multiply"),),
    "Noise": (partial(k.Double_Knob, "zoffset"),),
    "Radial": (partial(k.BBox_Knob, "area"), partial(k.Double_Knob, "softness")),
    "Copy": (
        partial(k.String_Knob, "from0", "", "rgba.alpha"),
        partial(k.String_Knob, "to0", "", "rgba.alpha"),
        *(partial(k.String_Knob, f"{end}{n}", "", "none") for n in (1, 2, 3) for end in _ENDS),
    ),
    "Expression": (
        *(partial(k.String_Knob, f"expr{index}") for index in range(4)),
        *(
            partial(k.String_Knob, f"channel{index}", "", f"rgba.{channel}")
            for index, channel in enumerate(("red", "green", "blue", "alpha"))
        ),
    ),
    "Read": (
        partial(k.File_Knob, "file"),
        partial(k.File_Knob, "proxy"),
        *(partial(k.Int_Knob, name) for name in ("first", "last", "origfirst", "origlast")),
        *(partial(k.Enumeration_Knob, name, "", _EDGES) for name in ("before", "after")),
        partial(k.Enumeration_Knob, "on_error", "", ["error", "black", "nearest frame"]),
        partial(k.Enumeration_Knob, "frame_mode", "", ["expression", "start at", "offset"]),
        partial(k.String_Knob, "frame"),
        partial(k.Enumeration_Knob, "colorspace", "", _COLOURS),
        partial(k.Boolean_Knob, "raw"),
        partial(k.Script_Knob, "reload"),
    ),
    "Write": (
        partial(k.File_Knob, "file"),
        partial(k.Enumeration_Knob, "file_type", "", [" ", "exr", "dpx", "png"]),
        partial(k.String_Knob, "channels", "", "rgb"),
        partial(k.Boolean_Knob, "raw"),
        partial(k.Enumeration_Knob, "datatype", "", ["16 bit half", "32 bit float", "10 bit"]),
        partial(k.Enumeration_Knob, "compression", "", ["none", "ZIP (1 scanline)", "DWAA"]),
        partial(k.Enumeration_Knob, "metadata", "", ["default metadata", "all metadata"]),
    ),
    "Group": (partial(k.String_Knob, "help"), partial(k.String_Knob, "icon")),
    "Root": (
        partial(k.Boolean_Knob, "proxy"),
        partial(k.Int_Knob, "first_frame"),
        partial(k.Int_Knob, "last_frame"),
        partial(k.String_Knob, "format"),
    ),
}
"""The knobs of each class that anything here asks for, besides `name` and `disable`."""


class FrameRange:
    """Frames from first to last."""

    def __init__(self, first: int, last: int) -> None:
        self._ends = first, last

    def first(self) -> int:
        return self._ends[0]

    def last(self) -> int:
        return self._ends[1]


class Node:
    """One node of the graph."""

    def __init__(self, stage: Stage, kind: str, parent: Group | None) -> None:
        self.stage = stage
        self._kind = kind
        self._parent = parent
        self._is_deleted = False
        self._inputs: list[Node | None] = []
        self._user: list[k.Knob] = []
        made = (k.String_Knob("name"), k.Boolean_Knob("disable"), *(m() for m in CLASSES[kind]))
        self._knobs: dict[str, k.Knob] = {}
        for knob in made:
            self._take(knob)

    def Class(self) -> str:  # noqa: N802 - Nuke's name
        return self._kind

    def name(self) -> str:
        if self._is_deleted:
            raise ValueError("A PythonObject is not attached to a node")
        return str(self._knobs["name"].value())

    def fullName(self) -> str:  # noqa: N802
        above = self.parent()
        inside = above is not None and above.Class() != "Root"
        return f"{above.fullName()}.{self.name()}" if inside and above is not None else self.name()

    def setName(self, name: str, uncollide: bool = True) -> None:  # noqa: N802,
        siblings = [] if self._parent is None else self._parent.nodes()
        taken = {node.name() for node in siblings if node is not self}
        stem, number = re.sub("[0-9]+$", "", name), 1
        while uncollide and name in taken:
            name, number = f"{stem}{number}", number + 1
        self._knobs["name"].setValue(name)

    def parent(self) -> Group | None:
        return self._parent

    def knob(self, p: str) -> k.Knob | None:
        self.name()
        return self._knobs.get(p)

    def knobs(self) -> dict[str, k.Knob]:
        return dict(self._knobs)

    def user_knobs(self) -> list[k.Knob]:
        """The fake's own: the knobs that were added, in their order."""
        return list(self._user)

    def addKnob(self, knob: k.Knob) -> None:  # noqa: N802
        if knob.name() in self._knobs:
            raise ValueError(f"{self.name()} has a knob {knob.name()} already")
        self._user.append(knob)
        self._take(knob)

    def input(self, index: int) -> Node | None:
        found = self._inputs[index] if index < len(self._inputs) else None
        return None if found is None or found._is_deleted else found

    def inputs(self) -> int:
        return len(self._inputs)

    def setInput(self, i: int, node: Node | None) -> bool:  # noqa: N802
        self._inputs += [None] * (i + 1 - len(self._inputs))
        self._inputs[i] = node
        return True

    def firstFrame(self) -> int:  # noqa: N802
        return self._ends()[0]

    def lastFrame(self) -> int:  # noqa: N802
        return self._ends()[1]

    def channels(self) -> list[str]:
        from tests.hosts.nuke.fake_nuke import pictures

        return list(pictures.picture(self, self.stage.frame))

    def showControlPanel(self) -> None:  # noqa: N802
        self.stage.panels.append(self.name())

    def selectOnly(self) -> None:  # noqa: N802
        self.stage.selected = self

    def remove(self) -> None:
        """The fake's own: what `nuke.delete` does."""
        self._is_deleted = True
        if self._parent is not None:
            self._parent.forget(self)

    def __getitem__(self, name: str) -> k.Knob:
        found = self.knob(name)
        if found is None:
            raise NameError(f"knob {name} does not exist")
        return found

    def _take(self, knob: k.Knob) -> None:
        """Own the knob."""
        knob.evaluated = self._evaluated
        knob.changed = lambda: self.stage.note_change(knob)
        self._knobs[knob.name()] = knob
        if isinstance(knob, k.PyScript_Knob):
            knob.press = lambda: self.stage.press(self, str(knob.value()))

    def _evaluated(self, expression: str) -> k.Value:
        """An expression's value; only sums over knobs of the parent are understood."""
        owner = self._parent

        def number(match: re.Match[str]) -> str:
            assert owner is not None
            return repr(float(owner[match.group(1)].value()))

        text = re.sub(r"parent\.(\w+)", number, expression)
        if not re.fullmatch(r"[-+0-9. ]+", text):
            raise RuntimeError(f"cannot evaluate {expression!r}")
        first, *rest = re.findall(r"[-+]?\s*[0-9.]+", text)
        return float(first) + sum(float(term.replace(" ", "")) for term in rest)

    def _ends(self) -> tuple[int, int]:
        """The frame range: a Read's own, else that of what is connected, else the root's."""
        if self._kind == "Read":
            return int(self["first"].value()), int(self["last"].value())
        above = next((node for node in self._inputs if node is not None), None)
        if above is not None:
            return above._ends()
        root = self.stage.root
        return int(root["first_frame"].value()), int(root["last_frame"].value())


class Group(Node):
    """A node with nodes inside; `with group:` makes new nodes there."""

    def __init__(self, stage: Stage, kind: str, parent: Group | None) -> None:
        super().__init__(stage, kind, parent)
        self._nodes: list[Node] = []

    def node(self, s: str) -> Node | None:
        return next((node for node in self._nodes if node.name() == s), None)

    def nodes(self) -> list[Node]:
        return list(self._nodes)

    def take_in(self, node: Node) -> None:
        """The fake's own: a new node inside."""
        self._nodes.append(node)

    def forget(self, node: Node) -> None:
        """The fake's own: a node inside that was deleted."""
        self._nodes.remove(node)

    def remove(self) -> None:
        """What `nuke.delete` does; what is inside goes too."""
        for node in self.nodes():
            node.remove()
        super().remove()

    def __enter__(self) -> Self:
        self.stage.context.append(self)
        return self

    def __exit__(
        self,
        type: type[BaseException] | None,  # noqa: A002 - the stubs' name
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stage.context.pop()


class Root(Group):
    """The script itself."""

    def modified(self) -> bool:
        return self.stage.is_modified

    def setModified(self, modified: bool) -> None:  # noqa: N802
        self.stage.is_modified = modified
