"""Opening: the report, the folder of the frames, and what the doctor says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Optional, Set

import bpy

from infusion_hosts.blender_host import sessions
from infusion_hosts.blender_host.active import meant_node
from infusion_hosts.blender_host.group import kept_result
from infusion_node.engine import engine_environment, find_engine
from infusion_node.errors import EngineError

DOCTOR = "infusion-doctor"
"""The engine's own check of the machine; it lies beside the engine's command."""

DOCTOR_SECONDS = 120.0
"""How long the doctor may take."""

TEXT_NAME = "Infusion doctor"
"""The text in Blender's text editor that holds what the doctor said."""


class OpenReportOperator(bpy.types.Operator):
    """Open the page of the last run: the fill after each interval, losses, times and settings."""

    bl_idname = "infusion.open_report"
    bl_label = "Open report"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True when the last run has a page."""
        return report_page(meant_node(context)) is not None

    def execute(self, context: Any) -> Set[str]:
        """Have the system's browser show it."""
        page = report_page(meant_node(context))
        if page is None:
            return {"CANCELLED"}
        bpy.ops.wm.url_open(url=page.as_uri())
        return {"FINISHED"}


class RevealFilesOperator(bpy.types.Operator):
    """Open the folder of the result's frames."""

    bl_idname = "infusion.reveal_files"
    bl_label = "Reveal files"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True when there is a result."""
        return result_folder(meant_node(context)) is not None

    def execute(self, context: Any) -> Set[str]:
        """Have the system's file manager show it."""
        folder = result_folder(meant_node(context))
        if folder is None:
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(folder))
        return {"FINISHED"}


class DoctorOperator(bpy.types.Operator):
    """Ask the engine's doctor whether this machine is fit for it, and show what it says."""

    bl_idname = "infusion.doctor"
    bl_label = "Doctor"

    def execute(self, context: Any) -> Set[str]:
        """Put what it says into a text, and name that in a message."""
        node = meant_node(context)
        knob = "" if node is None else bpy.path.abspath(node.node_tree.infusion.knobs.engine)
        try:
            said = doctor_says(knob)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        text = bpy.data.texts.get(TEXT_NAME) or bpy.data.texts.new(TEXT_NAME)
        text.from_string(said)
        self.report({"INFO"}, f"See the text '{TEXT_NAME}' in a text editor.")
        return {"FINISHED"}


def report_page(node: Optional[Any]) -> Optional[Path]:
    """The page of a node's last run; None when there is none."""
    session = None if node is None else sessions.SESSIONS.get(node.node_tree.session_uid)
    run = None if session is None else session.node.run
    page = None if run is None else run.report / "index.html"
    return page if page is not None and page.is_file() else None


def result_folder(node: Optional[Any]) -> Optional[Path]:
    """The folder of the frames that a node shows; None when there is none."""
    result = None if node is None else kept_result(node.node_tree)
    folder = None if result is None else Path(result.files).parent
    return folder if folder is not None and folder.is_dir() else None


def doctor_says(knob: str) -> str:
    """What the doctor beside the engine's command has to say.

    Raises:
        EngineError: there is no engine, or no doctor beside it.
    """
    command, _ = find_engine(knob or None, os.environ)
    doctor = command.with_name(DOCTOR + command.suffix)
    try:
        run = subprocess.run(
            [os.fspath(doctor)], stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=engine_environment(os.environ), timeout=DOCTOR_SECONDS,
        )  # fmt: skip
    except OSError as error:
        raise EngineError(
            f"'{doctor}' cannot be started: {error.strerror or error}.",
            remedy="Install engine and node of one release.",
        ) from None
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"'{doctor}' did not answer within {DOCTOR_SECONDS:.0f} s.",
            remedy="Try it in a terminal.",
        ) from None
    return (run.stdout + run.stderr).decode("utf-8", "replace")
