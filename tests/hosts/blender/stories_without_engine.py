"""Stories inside Blender that need no engine; each returns what it has to tell, as JSON."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from tests.hosts.blender.layout import drawn
from tests.hosts.blender.stage import (
    Artist,
    Manager,
    disable,
    enable,
    inpaint,
    ours,
    render,
    sequence,
    set_knobs,
    staged,
)


def what_goes_as_files(args: dict[str, Any]) -> Any:
    """Which inputs are handed over as the files they come from, and which are to be written."""
    node = staged(args)
    tree, host = node.id_data, ours("sessions").session_of(node.node_tree).node._host
    clip = ours("binding").Clip
    image = node.inputs["Image"].links[0].from_node
    hole = node.inputs["Matte"].links[0].from_node

    def files() -> Any:
        found = host.footage(clip.PLATE)
        return None if found is None else [found.first, found.last, found.files]

    def matte_files() -> Any:
        found = host.footage(clip.MATTE)
        return None if found is None else [found.first, found.last, found.files]

    found = {"plain": files(), "matte": matte_files()}
    found["content"] = [host.content(clip.PLATE, 1001), host.content(clip.PLATE, 1001)]
    os.utime(args["plate"])
    found["touched"] = host.content(clip.PLATE, 1001)

    reroute = tree.nodes.new("NodeReroute")
    tree.links.new(image.outputs["Image"], reroute.inputs[0])
    tree.links.new(reroute.outputs[0], node.inputs["Image"])
    found["reroute"] = files()
    exposure = tree.nodes.new("CompositorNodeExposure")
    tree.links.new(image.outputs["Image"], exposure.inputs["Image"])
    tree.links.new(exposure.outputs["Image"], node.inputs["Image"])
    found["computed"], found["no_content"] = files(), host.content(clip.PLATE, 1001)
    found["matte_of_computed"] = matte_files()
    tree.links.new(image.outputs["Image"], node.inputs["Image"])
    image.frame_offset = 999
    found["shifted"] = files()
    image.frame_offset = 1000
    image.mute = True
    found["muted"] = files()
    image.mute = False
    image.image.colorspace_settings.name = "sRGB"
    found["srgb"] = files()
    image.image.colorspace_settings.name = "Non-Color"
    found["raw"] = files()
    tree.links.new(hole.outputs["Image"], node.inputs["Matte"])
    found["colour_of_a_matte"] = matte_files()
    moved = sequence(tree, args["moved"])
    tree.links.new(moved.outputs["Image"], node.inputs["Image"])
    found["moved_window"] = files()
    tree.links.remove(node.inputs["Matte"].links[0])
    try:
        host.footage(clip.MATTE)
    except ours("binding").SetupError as error:
        found["no_matte"] = str(error)
    tree.links.new(image.outputs["Image"], node.inputs["Image"])
    found["matte_in_files"] = matte_files()
    tree.links.remove(node.inputs["Image"].links[0])
    found["nothing"] = files()
    return found


def places(args: dict[str, Any]) -> Any:
    """Where a node keeps its files: through renames, and for a duplicate."""
    node = staged(args)
    tree = node.id_data

    def place(of: Any) -> str:
        return str(ours("sessions").session_of(of.node_tree).node._host.workspace())

    found = {"first": place(node)}
    group, node.node_tree.use_fake_user = node.node_tree, True
    found["kept_alone"] = ours("active").own_group(node) == group
    node.name = "Fire gone"
    bpy.ops.wm.save_as_mainfile(filepath=args["later_blend"])
    found["renamed"] = place(node)
    twin = tree.nodes.new(node.bl_idname)
    twin.node_tree, twin.name = node.node_tree, "Twin"
    found["same_group"] = twin.node_tree == node.node_tree
    ours("active").own_group(twin)
    found["twin"], found["still"] = place(twin), place(node)
    return found


def copied_while_at_work(args: dict[str, Any]) -> Any:
    """A node is at work; its group is copied, also in the file that is opened again, and begins."""
    node = staged(args)
    first = Artist(node)
    first.tick_until(lambda: '"event": "started"' in first.events)
    twin = node.id_data.nodes.new(node.bl_idname)
    twin.node_tree, twin.name = node.node_tree.copy(), "Twin"
    for name in ("Image", "Matte"):
        node.id_data.links.new(node.inputs[name].links[0].from_socket, twin.inputs[name])
    found = {"copied": twin.node_tree.infusion.folder == node.node_tree.infusion.folder}
    bpy.ops.wm.save_as_mainfile(filepath=args["blend"])
    bpy.ops.wm.open_mainfile(filepath=args["blend"])
    sessions, nodes = ours("sessions"), ours("tree").scene_tree(bpy.context.scene).nodes
    node, twin = nodes["Infusion Inpaint"], nodes["Twin"]
    both = [sessions.session_of(of.node_tree) for of in (node, twin)]
    found["opened"] = [session.node.status.state.value for session in both]
    second = Artist(twin)
    second.tick_until(lambda: '"event": "started"' in second.events)
    found["runs"] = [str(session.node.run.path) for session in both]
    for session in both:
        session.node.cancel()
        session.node.poll()
    return found


def drawn_panels(args: dict[str, Any]) -> Any:
    """Everything the sidebar draws: before, and when it failed."""
    node = staged({**args, "knobs": {}})
    kept = node.node_tree.infusion.knobs
    held = {knob.name: getattr(kept, knob.name) for knob in ours("sidebar").PANEL}
    found = {"held": held, "idle": drawn()}
    set_knobs(node, {"engine": args["no_engine"]})
    inpaint(node)
    return {**found, "failed": drawn()}


def added_again(args: dict[str, Any]) -> Any:
    """A node is deleted whose folder is there, and one of the same name is added."""
    node = staged(args)
    session = ours("sessions").session_of(node.node_tree)
    first = session.node._host.workspace()
    first.mkdir(parents=True)
    tree = node.id_data
    bpy.data.node_groups.remove(node.node_tree)
    tree.nodes.remove(node)
    bpy.ops.infusion.add_node()
    again = tree.nodes["Infusion Inpaint"]
    second = ours("sessions").session_of(again.node_tree).node._host.workspace()
    return [str(first), str(second)]


def disabled_and_enabled(args: dict[str, Any]) -> Any:
    """The extension is disabled, which leaves nothing of it, and enabled again."""
    node = staged(args)
    before = node.node_tree.infusion.folder
    disable()
    left = [name for name in sys.modules if name.startswith(("infusion_node", "infusion_hosts"))]
    found = {
        "modules": left,
        "path": [entry for entry in sys.path if "infusion_inpaint" in entry],
        "classes": [name for name in dir(bpy.types) if name.lower().startswith("infusion")],
        "handlers": [
            function.__module__
            for handlers in (bpy.app.handlers.load_pre, bpy.app.handlers.load_post)
            for function in handlers
            if function.__module__.startswith("infusion")
        ],
        "inputs": [socket.name for socket in node.inputs],
    }
    enable()
    return {**found, "kept": node.node_tree.infusion.folder == before, "panel": drawn()}


def several_takes(args: dict[str, Any]) -> Any:
    """Results with a layer for each take, and with a folder for each, taken in and chosen from."""
    node = staged(args)
    group, groups = node.node_tree, ours("group")
    groups.keep_result(group, groups.Result(args["layers"], 1001, 1004, ("infusion", "infusion2")))
    render(args["first"])
    group.infusion.shown_take = 2
    render(args["second"])
    group.infusion.shown_take = 1
    groups.keep_result(group, groups.Result(args["merged"], 1002, 1003))
    render(args["merged_first"])
    group.infusion.shown_take = 2
    render(args["merged_second"])
    return [image.name for image in bpy.data.images if image.name.startswith("Infusion")]


def asked_doctor(args: dict[str, Any]) -> Any:
    """The doctor beside the engine says something; then there is none."""
    node = staged(args)
    waited = _doctor_in_a_window(node)
    bpy.ops.infusion.doctor()
    said = bpy.data.texts["Infusion doctor"].as_string()
    set_knobs(node, {"engine": args["without"]})
    try:
        bpy.ops.infusion.doctor()
    except RuntimeError as error:
        return [said, str(error), waited]
    return [said, "", waited]


def _doctor_in_a_window(node: Any) -> Any:
    """The operator's ticks until the doctor has answered, as a window would send them."""
    operator = ours("opening").DoctorOperator
    said: list[str] = []
    manager = Manager()
    look = {"__getattr__": lambda _self, name: getattr(bpy.context, name), "space_data": None}
    context = type("Context", (), {"window_manager": manager, **look})()
    own = {"report": lambda _self, _kinds, text: said.append(text)}
    for name in ("_ask", "_answered", "invoke", "modal"):
        own[name] = vars(operator)[name]
    asked = type("Asked", (), own)()
    asked._ask(context)
    asked._timer = manager.event_timer_add(0.1, window=bpy.context.window)
    tick = type("Event", (), {"type": "TIMER"})()
    answers: list[Any] = []
    while not answers or answers[-1] == ["PASS_THROUGH"]:
        answers.append(list(asked.modal(context, tick)))
        time.sleep(0.05)
    return [answers[0], answers[-1], said, len(manager.timers)]


class _Broken:
    """A step that Blender refuses, in the place of a session's own."""

    def __init__(self, session: Any) -> None:
        self.session, self.own, self.times = session, session.step, 0
        session.step = self

    def __call__(self) -> Any:
        self.times += 1
        raise RuntimeError("Blender has moved")


def a_step_that_raises(args: dict[str, Any]) -> Any:
    """A tick of the operator fails; then one of two sessions that the timer steps does."""
    node = staged(args)
    artist = Artist(node)
    artist.tick_until(lambda: '"event": "started"' in artist.events)
    broken = _Broken(artist.session)
    answer = artist.event("TIMER")
    sessions = ours("sessions")
    found = {
        "answer": answer,
        "said": artist.said,
        "timers": len(artist.manager.timers),
        "has_operator": artist.session.has_operator,
        "is_watched": bpy.app.timers.is_registered(sessions.step_all),
    }
    good = sessions.Session(0)
    good.node._status = artist.session.node.status
    good.step = _Counted(good)
    sessions.SESSIONS[0] = good
    found["again"] = [sessions.step_all(), sessions.step_all()]
    found["steps"] = [broken.times, good.step.times]
    attach, artist.session.attach = artist.session.attach, _Broken(artist.session)
    sessions.attach_all()
    found["attached"] = artist.session.attach.times
    artist.session.attach = attach
    artist.session.step = broken.own
    artist.session.node.cancel()
    artist.session.node.poll()
    return found


class _Counted:
    """A session's step that only counts."""

    def __init__(self, session: Any) -> None:
        self.session, self.times = session, 0

    def __call__(self) -> Any:
        self.times += 1
        return self.session.node.status


def while_blender_renders(args: dict[str, Any]) -> Any:
    """A render goes on: a press, a frame to be written, a result and another take wait for it."""
    node = staged(args)
    sessions, group = ours("sessions"), node.node_tree
    found: dict[str, Any] = {"really": sessions.is_rendering()}
    sessions.is_rendering = lambda: True
    found["press"] = inpaint(node)
    try:
        bpy.ops.infusion.new_take(node=node.name)
    except RuntimeError as error:
        found["take"] = str(error)
    found["seed"] = group.infusion.knobs.seed
    session = sessions.session_of(group)
    session._writing = iter(["a frame"])
    session.step()
    found["frames left"] = list(session._writing)
    session._writing = None
    status = sessions.Status
    session.node._status = status(
        sessions.State.DONE, result=args["layers"], layers=("infusion", "infusion2"),
        frames=type("Frames", (), {"first": 1001, "last": 1004}),
    )  # fmt: skip
    session.once_not_rendering(session.take_in)
    group.infusion.shown_take = 2
    found["meanwhile"] = [len(group.nodes), sessions.step_all(), len(group.nodes)]
    sessions.is_rendering = lambda: False
    pushed: list[str] = []
    push = sessions.push_undo
    sessions.push_undo = lambda: pushed.append(str(push()))
    found["after"] = [sessions.step_all(), sessions.step_all()]
    found["undo steps"] = len(pushed)
    found["layer"] = group.links[-1].from_node.bl_idname
    found["shown"] = [
        link.from_socket.name
        for link in group.links
        if link.from_node.bl_idname == "CompositorNodeImage"
    ]
    return found


def takes_follow_each_other(args: dict[str, Any]) -> Any:
    """New take with one take, then with three."""
    node = staged(args)
    knobs = node.node_tree.infusion.knobs
    seeds = []
    for takes in (1, 3, 3):
        knobs.takes = takes
        with suppress(RuntimeError):  # there is no engine
            bpy.ops.infusion.new_take(node=node.name)
        seeds.append(knobs.seed)
    return seeds


def rendered_in_3d(args: dict[str, Any]) -> Any:
    """A 3-D render is written as a plate, and rendered by the scene itself to compare."""
    node = staged(args)
    scene, tree = bpy.context.scene, node.id_data
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x, scene.render.resolution_y = 48, 40
    scene.render.resolution_percentage = 50
    scene.frame_set(1001)
    bpy.data.objects["Cube"].keyframe_insert("location", frame=1001)
    bpy.data.objects["Cube"].location.x = 1.5
    bpy.data.objects["Cube"].keyframe_insert("location", frame=1004)
    scene.frame_set(1001)
    layers = tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(layers.outputs["Image"], node.inputs["Image"])
    host = ours("sessions").session_of(node.node_tree).node._host
    host.write_frame(ours("binding").Clip.PLATE, 1003, Path(args["written"]))
    found = {"frame": scene.frame_current, "percentage": scene.render.resolution_percentage}
    scene.render.resolution_percentage = 100
    tree.links.new(layers.outputs["Image"], node.inputs["Image"])
    render(args["look"])
    return {**found, "scenes": len(bpy.data.scenes)}
