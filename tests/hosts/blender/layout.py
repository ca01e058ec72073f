"""A layout that notes what a panel draws: there is no window to draw it in."""

from __future__ import annotations

from typing import Any

import bpy

from tests.hosts.blender.stage import ours


class Layout:
    """Stands in for a region's layout: notes what is drawn, and refuses what Blender would."""

    icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.knobs: list[str] = []
        self.buttons: list[str] = []

    def column(self, **_how: Any) -> Layout:
        """A part of this one."""
        return self

    row = box = column

    def label(self, *, text: str, icon: str = "NONE") -> None:
        """A line of text."""
        assert icon in self.icons, icon
        self.texts.append(text)

    def prop(self, holder: Any, name: str) -> None:
        """A widget."""
        getattr(holder, name)
        self.knobs.append(name)

    def progress(self, *, factor: float, text: str) -> None:
        """A bar."""
        assert 0 <= factor <= 1
        self.texts.append(text)

    def operator(self, name: str, *, text: str = "", icon: str = "NONE") -> Any:
        """A button."""
        assert icon in self.icons, icon
        room, _, verb = name.partition(".")
        assert hasattr(getattr(bpy.ops, room), verb), name
        self.buttons.append(name)
        return type("Given", (), {})()

    def template_icon(self, *, icon_value: int, scale: float) -> None:
        """A picture."""
        assert icon_value > 0
        assert scale > 0


def drawn() -> dict[str, Any]:
    """What all panels of the sidebar draw at this moment."""
    layout = Layout()
    for panel in ours("sidebar").panel_classes():
        panel.draw(type("Self", (), {"layout": layout})(), bpy.context)
    return {
        "texts": layout.texts,
        "knobs": layout.knobs,
        "buttons": layout.buttons,
    }
