"""Inside a Blender with a window: the node is used as an artist uses it, and pictures are taken.

Run by Blender: `blender --enable-event-simulate --python inside.py -- ASKED.json`.
Windows need Blender's own loop, so each act is one call of a timer, and says when the next is due.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

CHECKOUT = Path(__file__).resolve().parents[4]
PATIENCE = 1200  # looks at the node, half a second apart
PAUSE = 0.5


def play(asked: dict[str, Any], told: dict[str, Any]) -> Iterator[float]:
    """The acts; each yields the seconds after which the next is due."""
    window = bpy.context.window_manager.windows[0]
    window.workspace = bpy.data.workspaces["Compositing"]
    yield PAUSE
    node = staged(asked)
    yield PAUSE
    area = arranged(window)
    yield PAUSE
    look_around(window, area)
    yield PAUSE
    picture(window, asked, "ready")
    press(window, area)
    yield from waiting(window, asked, told, node)
    yield 2.0  # the viewer takes the result in
    picture(window, asked, "ended")
    if not asked["escape"]:
        yield from undoing(window, told, "Infusion Inpaint")


def staged(asked: dict[str, Any]) -> Any:
    """Plate and matte as image sequences, the node between them and the viewer, in a saved file."""
    from infusion_hosts.blender_host.tree import wanted_scene_tree
    from tests.hosts.blender.stage import sequence, set_knobs

    scene = bpy.context.scene
    scene.frame_start, count = 1001, asked["count"]
    scene.frame_end = scene.frame_start + count - 1
    tree = wanted_scene_tree(scene)
    tree.nodes.clear()

    def shown(file: str, label: str, place: tuple[int, int]) -> Any:
        made = sequence(tree, file, count)
        made.label, made.location = label, place
        made.use_auto_refresh, made.show_options = True, False
        return made

    plate = shown(asked["plate"], "Plate", (-520, 120))
    matte = shown(asked["matte"], "Matte", (-520, -120))
    bpy.ops.infusion.add_node()
    node = tree.nodes["Infusion Inpaint"]
    viewer = tree.nodes.new("CompositorNodeViewer")
    node.location, viewer.location = (-240, 60), (40, 60)
    tree.links.new(plate.outputs["Image"], node.inputs["Image"])
    tree.links.new(matte.outputs["Alpha"], node.inputs["Matte"])
    tree.links.new(node.outputs["Image"], viewer.inputs["Image"])
    for other in tree.nodes:
        other.select = other == node
    tree.nodes.active = node
    set_knobs(node, asked["knobs"])
    scene.render.resolution_x, scene.render.resolution_y = plate.image.size
    scene.frame_set(scene.frame_start + count // 2)
    bpy.ops.ed.undo_push(message="The artist's own work")
    bpy.ops.wm.save_as_mainfile(filepath=asked["blend"])
    return node


def arranged(window: Any) -> Any:
    """The compositor's area, with our sidebar open and the viewer's picture below it."""
    areas = window.screen.areas
    for area in areas:
        if area.type == "DOPESHEET_EDITOR":
            area.type = "IMAGE_EDITOR"
    area = next(area for area in areas if area.type == "NODE_EDITOR")
    area.ui_type = "CompositorNodeTree"
    area.spaces.active.show_region_ui = True
    area.spaces.active.show_backdrop = False
    return area


def look_around(window: Any, area: Any) -> None:
    """All nodes in view, our tab of the sidebar open, the viewer's picture shown."""
    for region in area.regions:
        if region.type == "WINDOW":
            with bpy.context.temp_override(window=window, area=area, region=region):
                bpy.ops.node.view_all()
    for panel in bpy.types.Panel.__subclasses__():
        # Which tab is open cannot be set before 4.2: ours is the only one.
        where = (getattr(panel, "bl_space_type", ""), getattr(panel, "bl_region_type", ""))
        ours = panel.__name__.startswith("INFUSION") or panel.__module__.startswith("infusion")
        if where == ("NODE_EDITOR", "UI") and not ours and hasattr(bpy.types, panel.__name__):
            bpy.utils.unregister_class(panel)
    for other in window.screen.areas:
        if other.type == "IMAGE_EDITOR":
            other.spaces.active.image = bpy.data.images.get("Viewer Node")


def press(window: Any, area: Any) -> None:
    """What the button Inpaint does when it is pressed."""
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        answer = bpy.ops.infusion.inpaint("INVOKE_DEFAULT", node="Infusion Inpaint")
    assert answer == {"RUNNING_MODAL"}, answer


def waiting(window: Any, asked: dict[str, Any], told: dict[str, Any], node: Any) -> Iterator[float]:
    """Look at the node until its run has ended; take a picture on the way, or press Esc."""
    from infusion_hosts.blender_host.operators import header_text
    from infusion_hosts.blender_host.sessions import session_of

    session = session_of(node.node_tree)
    told["headers"], seen = [], False
    for _ in range(PATIENCE):
        status = session.node.status
        if not status.state.is_working:
            break
        told["headers"].append(header_text(status))
        if not seen and status.fraction is not None and status.fraction >= asked["look_at"]:
            seen = True
            picture(window, asked, "working")
            if asked["escape"]:
                simulate(window, "ESC")
        yield PAUSE
    told.update(state=status.state.value, line=status.line, remedy=status.remedy)
    told["holds_on"] = session.has_operator
    told["result"] = bpy.path.abspath(node.node_tree.infusion.result)


def undoing(window: Any, told: dict[str, Any], name: str) -> Iterator[float]:
    """Press undo, then redo, and look whether the node has its result; Blender moves nodes then."""
    from infusion_hosts.blender_host.tree import wanted_scene_tree

    told["undone"] = []
    for shift in (False, True):
        simulate(window, "Z", ctrl=True, shift=shift)
        yield PAUSE
        tree = wanted_scene_tree(bpy.context.scene)
        told["undone"].append(bool(tree.nodes[name].node_tree.infusion.result))


def simulate(window: Any, key: str, **held: bool) -> None:
    """Press and let go of a key over the compositor, with `ctrl` or `shift` held."""
    area = next(area for area in window.screen.areas if area.type == "NODE_EDITOR")
    middle = {"x": area.x + area.width // 2, "y": area.y + area.height // 2}
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type=key, value=value, **middle, **held)


def picture(window: Any, asked: dict[str, Any], name: str) -> None:
    """The whole window, as a PNG."""
    area = window.screen.areas[0]
    with bpy.context.temp_override(window=window, area=area, region=area.regions[0]):
        bpy.ops.screen.screenshot(filepath=f"{asked['pictures']}/{name}.png")


def main() -> None:
    """Play, tell, and end Blender, whatever happens."""
    asked = json.loads(Path(sys.argv[-1]).read_text())
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "host_bindings")]
    from tests.hosts.blender.window.older import make_up

    make_up()
    from infusion_hosts.blender_host.registration import register

    register()
    told: dict[str, Any] = {}
    acts = play(asked, told)

    def next_act() -> float | None:
        try:
            return next(acts)
        except StopIteration:
            pass
        except BaseException:  # noqa: BLE001 - the test shows whatever it was
            told["error"] = traceback.format_exc()
        Path(asked["told"]).write_text(json.dumps(told))
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(next_act, first_interval=2.0)


if __name__ == "__main__":
    main()
