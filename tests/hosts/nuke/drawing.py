"""Draws a node graph of the fake as text, one line for each node and each knob that was added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.hosts.nuke.fake_nuke import knobs as k
from tests.hosts.nuke.fake_nuke.nodes import CLASSES, Group, Node

GOLDEN = Path(__file__).with_name("golden")
"""What graphs and jobs are held against."""


def drawn(node: Node, indent: str = "") -> str:
    """A node, the knobs it was given, what was set, and what is inside of it."""
    fresh = {knob.name(): knob.value() for knob in (make() for make in CLASSES[node.Class()])}
    inputs = [node.input(index) for index in range(node.inputs())]
    names = ", ".join("-" if above is None else above.name() for above in inputs)
    added = {knob.name() for knob in node.user_knobs()}
    own = [knob for name, knob in node.knobs().items() if name != "name" and name not in added]
    lines = [" ".join([f"{indent}{node.Class()} {node.name()}({names})", *_set(own, fresh)])]
    for knob in node.user_knobs():
        flags = "".join(f" !{flag}" for flag in sorted(knob.flags()))
        value = _set([knob], {}) or [knob.name()]
        lines.append(" ".join([f"{indent}  {knob.Class()} {knob.label()!r}{flags}", *value]))
    if isinstance(node, Group):
        lines += [drawn(inside, indent + "  ") for inside in node.nodes()]
    return "\n".join(lines)


def held(name: str, text: str, **known: str) -> None:
    """Fail unless the text is what the golden file of that name holds.

    `known` are values that differ from run to run; each is shown as its name in <>.
    """
    for word, value in known.items():
        text = text.replace(value, f"<{word}>")
    path = GOLDEN / name
    assert text.rstrip("\n") + "\n" == path.read_text("utf-8")


def _set(knobs: list[k.Knob], fresh: dict[str, Any]) -> list[str]:
    """`name=value` of every knob that is not as it was made."""
    found = []
    for knob in knobs:
        if knob.hasExpression():
            found.append(f"{knob.name()}=({knob.expression()})")
        elif isinstance(knob, k.PyScript_Knob):
            found.append(f"{knob.name()}={str(knob.value()).splitlines()[-1]}")
        elif knob.value() != fresh.get(knob.name(), knob.default):
            found.append(f"{knob.name()}={knob.value()!r}")
    return found
