"""Writing: one frame of what a socket gives, rendered by Blender into an EXR.

A copy of the scene is rendered, in which the tree holds only what feeds the socket: the artist's
own scene, frame, outputs and nodes are never touched, whatever happens.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Set

import bpy

from infusion_hosts.blender_host import tree as trees
from infusion_node.errors import SetupError

RENDER_LAYERS = "CompositorNodeRLayers"


def write_socket(
    scene: Any, node_name: str, socket_name: str, frame: int, path: Path, *, mode: str
) -> None:
    """Render what feeds an input of a node at `frame` into `path`, as half float.

    `mode` is `RGB` or `RGBA`.

    Raises:
        SetupError: Blender could not; says what it said.
        OSError: the disk refused.
    """
    folder = Path(tempfile.mkdtemp(prefix=".infusion-", dir=path.parent))
    try:
        with _copied(scene) as copy:
            tree = _keep_only(copy, node_name, socket_name, folder, mode)
            _render_itself(scene, copy, tree)
            trees.set_still_format(copy, folder / "scene" / "frame")
            copy.frame_start = copy.frame_end = frame
            copy.frame_step = 1
            _render(copy)
        written = sorted(file for file in folder.glob("*.exr") if file.is_file())
        if len(written) == 1:  # else the caller says that nothing was written
            written[0].replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _copied(scene: Any) -> Iterator[Any]:
    """A copy of the scene, for as long as it is needed."""
    copy = trees.copied_scene(scene)
    try:
        copy.render.use_compositing = True
        copy.render.use_sequencer = False
        copy.render.use_multiview = False
        copy.render.use_border = False
        copy.render.resolution_percentage = 100
        copy.render.compositor_precision = "FULL"
        yield copy
    finally:
        trees.remove_copy(copy)


def _keep_only(copy: Any, node_name: str, socket_name: str, folder: Path, mode: str) -> Any:
    """Reduce the copy's tree to what feeds the socket, and have that written into `folder`.

    Returns the tree.
    """
    tree = trees.scene_tree(copy)
    node = None if tree is None else tree.nodes.get(node_name)
    if tree is None or node is None or not node.inputs[socket_name].is_linked:
        raise SetupError(f"Nothing feeds '{socket_name}' of '{node_name}'.", remedy="Connect it.")
    source = node.inputs[socket_name].links[0].from_socket
    wanted = _upstream(source.node)
    for other in list(tree.nodes):
        if other.name not in wanted:
            tree.nodes.remove(other)
    trees.add_file_output(tree, source, folder, mode=mode, depth="16")
    return tree


def _render_itself(scene: Any, copy: Any, tree: Any) -> None:
    """Have the copy's 3-D renders be its own, and where it has none, evaluate no objects."""
    layers = [node for node in tree.nodes if node.bl_idname == RENDER_LAYERS]
    for node in layers:
        if node.scene == scene:  # else that scene's frame would be set
            node.scene = copy
    if not layers:
        for child in list(copy.collection.children):
            copy.collection.children.unlink(child)


def _upstream(node: Any) -> Set[str]:
    """The names of a node and of all that feed it."""
    found: Set[str] = set()
    waiting: List[Any] = [node]
    while waiting:
        node = waiting.pop()
        if node.name in found:
            continue
        found.add(node.name)
        for socket in node.inputs:
            waiting.extend(link.from_node for link in socket.links)
    return found


def _render(scene: Any) -> None:
    """Render the scene's frames; one frame is an animation of its own, for which any scene will do.

    Raises:
        SetupError: Blender could not.
    """
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise SetupError(
            f"Blender could not render the input: {said}",
            remedy="Render that frame in Blender; then press Inpaint again.",
        ) from None
