"""Stories inside Blender in which the engine runs; each returns what it has to tell, as JSON."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import bpy

from tests.hosts.blender.layout import drawn
from tests.hosts.blender.stage import (
    PATIENCE,
    Artist,
    enable,
    inpaint,
    ours,
    render,
    set_knobs,
    staged,
    told,
)


def files_as_they_are(args: dict[str, Any]) -> Any:
    """Inpaint over files, look; another take, look again."""
    node = staged(args)
    error = inpaint(node)
    first, panel = told(node), drawn()
    render(args["first_look"])
    bpy.ops.infusion.new_take(node=node.name)
    render(args["second_look"])
    bpy.ops.wm.save_mainfile()
    return {
        "error": error,
        "first": first,
        "second": told(node),
        "panel": panel,
        "preview": _preview(node),
    }


def _preview(node: Any) -> Any:
    """The last picture and its size, as the panel loaded it; without a window it has no icon."""
    path = ours("sessions").status_of(node.node_tree).preview
    ours("preview").icon_of(path)
    (loaded,) = ours("preview")._COLLECTION[-1].values()
    return list(loaded.image_size)


def computed_inputs(args: dict[str, Any]) -> Any:
    """Inpaint what nodes compute from the files; the artist's scene stays as it was."""
    node = staged(args)
    tree = node.id_data
    brighter = tree.nodes.new("CompositorNodeExposure")
    brighter.inputs["Exposure"].default_value = 1.0
    tree.links.new(node.inputs["Image"].links[0].from_socket, brighter.inputs["Image"])
    tree.links.new(brighter.outputs["Image"], node.inputs["Image"])
    once = tree.nodes.new("CompositorNodeInvert")
    twice = tree.nodes.new("CompositorNodeInvert")
    tree.links.new(node.inputs["Matte"].links[0].from_socket, once.inputs["Color"])
    tree.links.new(once.outputs["Color"], twice.inputs["Color"])
    tree.links.new(twice.outputs["Color"], node.inputs["Matte"])
    before = _around(tree)
    error = inpaint(node)
    after = _around(tree)
    render(args["first_look"])
    return {"error": error, "first": told(node), "before": before, "after": after}


def _around(tree: Any) -> Any:
    """What a binding could leave behind."""
    return {
        "scenes": [scene.name for scene in bpy.data.scenes],
        "groups": [group.name for group in bpy.data.node_groups],
        "nodes": sorted(node.name for node in tree.nodes),
        "frame": bpy.context.scene.frame_current,
        "range": [bpy.context.scene.frame_start, bpy.context.scene.frame_end],
        "output": bpy.context.scene.render.filepath,
    }


def nothing_to_begin_with(args: dict[str, Any]) -> Any:
    """A file that was never saved, then no engine, then nothing connected."""
    node = staged(args)
    found = {"unsaved": inpaint(node), "unsaved_told": told(node)}
    bpy.ops.wm.save_as_mainfile(filepath=args["later_blend"])
    set_knobs(node, {"engine": args["no_engine"]})
    found["engine"], found["engine_told"] = inpaint(node), told(node)
    node.id_data.links.remove(node.inputs["Image"].links[0])
    found["unlinked"] = inpaint(node)
    return found


def killed_then_cancelled_then_done(args: dict[str, Any]) -> Any:
    """The engine is killed; the next run is cancelled with Esc; the third goes on to the end."""
    node = staged(args)
    found: dict[str, Any] = {}

    artist = Artist(node)
    artist.tick_until(lambda: '"event": "interval"' in artist.events)
    os.kill(artist.session.node.status.engine_pid, signal.SIGKILL)
    artist.tick_until(lambda: False)
    found["killed"] = {**told(node), "said": artist.said, "headers": artist.headers}

    artist = Artist(node)
    artist.tick_until(lambda: '"event": "resolved"' in artist.events)
    found["passes"] = artist.event("LEFTMOUSE", "PRESS")
    others = [area for area in bpy.context.window.screen.areas if area != artist.area]
    found["esc_elsewhere"] = [artist.event("ESC", "PRESS", over=area) for area in others]
    found["stopping"] = artist.session.node.status.line.startswith("Stopping")
    found["esc"] = artist.event("ESC", "PRESS")
    artist.tick_until(lambda: False)
    found["cancelled"] = {**told(node), "said": artist.said}
    found["left_by_cancel"] = _files_below(Path(args["blend"]).parent)

    found["error"], found["done"] = inpaint(node), told(node)
    return found


def broken_engine(args: dict[str, Any]) -> Any:
    """The engine prints its trouble and ends; then the file is opened again."""
    node = staged(args)
    found: dict[str, Any] = {"can_before": bpy.ops.infusion.open_log.poll()}
    inpaint(node)
    found["told"], found["panel"] = told(node), drawn()
    bpy.ops.infusion.open_log()
    found["log"] = bpy.data.texts["Infusion log"].as_string()
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=args["blend"])
    bpy.data.texts.remove(bpy.data.texts["Infusion log"])
    bpy.ops.infusion.open_log()
    found["again"] = bpy.data.texts["Infusion log"].as_string()
    return found


def cancelled_while_writing(args: dict[str, Any]) -> Any:
    """Esc while frames are written: the engine is never started."""
    node = staged(args)
    tree = node.id_data
    exposure = tree.nodes.new("CompositorNodeExposure")
    tree.links.new(node.inputs["Image"].links[0].from_socket, exposure.inputs["Image"])
    tree.links.new(exposure.outputs["Image"], node.inputs["Image"])
    artist = Artist(node)
    artist.event("TIMER")
    artist.event("TIMER")
    artist.event("ESC", "PRESS")
    artist.tick_until(lambda: False)
    return {**told(node), "files": _files_below(Path(args["blend"]).parent)}


def _files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def started_and_left(args: dict[str, Any]) -> Any:
    """Start a run, save, and go."""
    node = staged(args)
    artist = Artist(node)
    artist.tick_until(lambda: '"event": "started"' in artist.events)
    bpy.ops.wm.save_mainfile()
    return told(node)


def opened_again(args: dict[str, Any]) -> Any:
    """Open the file, which finds the run; follow it to its end, and look."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=args["blend"])
    node = ours("tree").scene_tree(bpy.context.scene).nodes["Infusion Inpaint"]
    found = {"opened": told(node)}
    deadline = time.monotonic() + PATIENCE
    while ours("sessions").step_all() is not None:
        assert time.monotonic() < deadline, "it never ended"
        time.sleep(0.1)
    found["ended"] = told(node)
    render(args["first_look"])
    return found
