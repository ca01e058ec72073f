"""The stage: one process of the fake, with its script, its callbacks and what it showed."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.hosts.nuke.fake_nuke import knobs as k
from tests.hosts.nuke.fake_nuke.nodes import CLASSES, Group, Node, Root

_KNOBS: dict[str, type[k.Knob]] = {
    kind.__name__: kind
    for kind in (
        k.String_Knob, k.File_Knob, k.Text_Knob, k.Tab_Knob, k.PyScript_Knob, k.Int_Knob,
        k.Double_Knob, k.Boolean_Knob, k.Enumeration_Knob,
    )
}  # fmt: skip


NO_UNDO = 524288
"""The flag of a knob whose changes are not to be undone."""


class Stage:
    """Everything that belongs to a running Nuke."""

    def __init__(self) -> None:
        self.views = ["main"]
        self.panels: list[str] = []
        self.messages: list[str] = []
        self.printed: list[str] = []
        self.bars: list[tuple[int, str]] = []
        self.is_bar_cancelled = False
        self.commands: dict[str, Callable[[], object]] = {}
        self.plugin_paths: list[str] = []
        self.layers: dict[str, list[str]] = {}
        self.formats: dict[str, tuple[int, int]] = {}
        self.created: list[tuple[Callable[[], None], str]] = []
        self.changed: list[tuple[Callable[[], None], str]] = []
        self.undo_is_off = 0
        self.undo: list[str] = []
        self.is_modified = False
        self.rendered: list[tuple[str, int]] = []
        self.breaks_at: int | None = None
        self.cancelled_at: int | None = None
        self.cancels_by: type[Exception] = RuntimeError
        self.frame = 1
        self._main: queue.Queue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.Queue()
        self._begin()

    def clear(self) -> None:
        """A new, empty script; the nodes of the old one are no more."""
        for node in self.root.nodes():
            node.remove()
        self._begin()

    def _begin(self) -> None:
        self.root = Root(self, "Root", None)
        self.root["first_frame"].setValue(1)
        self.root["last_frame"].setValue(100)
        self.context: list[Group] = [self.root]
        self.selected: Node | None = None
        self.this: Node | None = None
        self.this_knob: k.Knob | None = None

    def note_change(self, knob: k.Knob) -> None:
        """A knob was set: the script is to be saved, and the artist may undo it."""
        self.is_modified = True
        if not self.undo_is_off and NO_UNDO not in knob.flags():
            self.undo.append(knob.name())

    def make(self, kind: str, parent: Group | None = None, name: str | None = None) -> Node:
        """A new node, named and told of, as Nuke makes them."""
        if kind not in CLASSES:
            raise RuntimeError(f"there is no node class {kind}")
        owner = parent or self.context[-1]
        node = Group(self, kind, owner) if kind == "Group" else Node(self, kind, owner)
        owner.take_in(node)
        node.setName(name or f"{kind}1")
        return node

    def tell(self, node: Node) -> None:
        """Call what was registered for the making of such nodes."""
        before, self.this = self.this, node
        for call, kind in self.created:
            if kind == node.Class():
                call()
        self.this = before

    def type_in(self, node: Node, name: str, value: k.Value) -> None:
        """Change a knob as a person does, and call what was registered for that."""
        node[name].setValue(value)
        self.this, self.this_knob = node, node[name]
        for call, kind in self.changed:
            if kind == node.Class():
                call()
        self.this = self.this_knob = None

    def press(self, node: Node, script: str) -> None:
        """Run a button's Python with its node as `thisNode`."""
        before, self.this = self.this, node
        exec(script, {})  # noqa: S102 - that is what Nuke does with it
        self.this = before

    def ask_main_thread(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Keep the call until the main thread is at leisure."""
        self._main.put((call, arguments))

    def pump(self, until: Callable[[], bool], seconds: float = 120.0) -> None:
        """What Nuke's event loop does, until something has happened."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                raise AssertionError("it never happened")
            try:
                call, arguments = self._main.get(timeout=0.02)
            except queue.Empty:
                continue
            call(*arguments)

    def text(self, nodes: list[Node] | None = None) -> str:
        """The script, or some of its nodes, as text."""
        body = [_described(node) for node in (self.root.nodes() if nodes is None else nodes)]
        return json.dumps({"root": _values(self.root), "nodes": body}, indent=1) + "\n"

    def read(self, text: str, *, is_paste: bool) -> list[Node]:
        """Make the nodes of a text; each Group is told of before its inside is there."""
        body = json.loads(text)
        if not is_paste:
            for name, value in body["root"].items():
                self.root[name].setValue(value)
        return self._read_into(self.context[-1], body["nodes"])

    def open(self, path: Path) -> None:
        """Close what is open and read a script."""
        self.clear()
        self.read(path.read_text("utf-8"), is_paste=False)
        self.root["name"].setValue(path.as_posix())

    def _read_into(self, owner: Group, described: list[Mapping[str, Any]]) -> list[Node]:
        made: dict[str, Node] = {}
        for entry in described:
            node = self.make(entry["class"], owner, entry["knobs"]["name"])
            made[entry["knobs"]["name"]] = node
            for kind, name, label, flags, *more in entry["user"]:
                knob = _KNOBS[kind](name, label, *more)
                for flag in flags:
                    knob.setFlag(flag)
                node.addKnob(knob)
            for name, value in entry["knobs"].items():
                if name != "name":
                    node[name].setValue(value)
            for name, expression in entry["expressions"].items():
                node[name].setExpression(expression)
            self.tell(node)
            if isinstance(node, Group):
                self._read_into(node, entry["nodes"])
        for entry in described:
            for index, name in enumerate(entry["inputs"]):
                made[entry["knobs"]["name"]].setInput(index, made.get(name))
        return list(made.values())


def _described(node: Node) -> dict[str, Any]:
    """A node as plain values."""
    found: dict[str, Any] = {"class": node.Class(), "knobs": _values(node)}
    found["user"] = [
        [knob.Class(), knob.name(), knob.label(), sorted(knob.flags()),
         *([knob.values()] if isinstance(knob, k.Enumeration_Knob) else [])]
        for knob in node.user_knobs()
    ]  # fmt: skip
    found["expressions"] = {
        name: knob.expression() for name, knob in node.knobs().items() if knob.hasExpression()
    }
    inputs = [node.input(index) for index in range(node.inputs())]
    found["inputs"] = [None if above is None else above.name() for above in inputs]
    if isinstance(node, Group):
        found["nodes"] = [_described(inside) for inside in node.nodes()]
    return found


def _values(node: Node) -> dict[str, Any]:
    """The knobs that are not as a new node has them."""
    fresh = {knob.name(): knob.value() for knob in (make() for make in CLASSES[node.Class()])}
    return {
        name: knob.value()
        for name, knob in node.knobs().items()
        if not knob.hasExpression()
        and not isinstance(knob, k.Tab_Knob)
        and knob.value() != fresh.get(name, knob.default)
    }


STAGE = Stage()
"""The process that the fake `nuke` module belongs to; tests empty it before each of them."""


def renew() -> Stage:
    """The stage as a Nuke that was just started has it."""
    STAGE.__init__()  # type: ignore[misc]  # the module `nuke` holds on to this object
    return STAGE
