"""Opening: the report, the folder of the frames, and what the doctor says."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Optional, Set, Tuple

import bpy

from infusion_hosts.blender_host import sessions
from infusion_hosts.blender_host.active import meant_node
from infusion_hosts.blender_host.group import kept_result
from infusion_hosts.blender_host.properties import shown
from infusion_node.doctor import doctor_says
from infusion_node.errors import NodeError
from infusion_node.job_folder import RunFolder

TICK_SECONDS = 0.2
"""How often it is looked whether the doctor has answered."""

TEXT_NAME = "Infusion doctor"
"""The text in Blender's text editor that holds what the doctor said."""

LOG_NAME = "Infusion log"
"""The text that holds the end of a run's log."""

LOG_LINES = 200
"""How many lines of it."""


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
        """Ask and wait: for scripts and for Blender without a window."""
        self._ask(context)
        self._thread.join()
        return self._answered()

    def invoke(self, context: Any, _event: Any) -> Set[str]:
        """Ask, and come back with the ticks of a timer: the answer takes seconds."""
        if bpy.app.background:
            return self.execute(context)
        self._ask(context)
        manager = context.window_manager
        self._timer: Any = manager.event_timer_add(TICK_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        self.report({"INFO"}, "The doctor looks at this machine.")
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> Set[str]:
        """Leave everything to Blender until the answer is there."""
        if event.type != "TIMER" or self._thread.is_alive():
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self._answered()

    def cancel(self, context: Any) -> None:
        """Blender ends the operator; nobody waits for the answer any more."""
        context.window_manager.event_timer_remove(self._timer)

    def _ask(self, context: Any) -> None:
        """Ask on a thread, with what the panel holds; Blender's own data stays with Blender's."""
        node = meant_node(context)
        held = {} if node is None else shown(node.node_tree)
        self._said = self._error = ""

        def ask() -> None:
            try:
                self._said = doctor_says(held, os.environ)
            except NodeError as error:
                self._error = str(error)

        self._thread = threading.Thread(target=ask, name="infusion-doctor", daemon=True)
        self._thread.start()

    def _answered(self) -> Set[str]:
        """Put what it said into a text, and name that in a message."""
        if self._error:
            self.report({"ERROR"}, self._error)
            return {"CANCELLED"}
        show_text(TEXT_NAME, self._said)
        self.report({"INFO"}, f"See the text '{TEXT_NAME}' in a text editor.")
        return {"FINISHED"}


class OpenLogOperator(bpy.types.Operator):
    """Show what the engine and its libraries printed in the last run."""

    bl_idname = "infusion.open_log"
    bl_label = "Open log"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True when the last run has a log, which is not read: Blender asks at every drawing."""
        run = last_run(meant_node(context))
        try:
            return run is not None and run.log.stat().st_size > 0
        except OSError:
            return False

    def execute(self, context: Any) -> Set[str]:
        """Put its end into a text, and name that in a message."""
        show_text(LOG_NAME, "\n".join(log_lines(last_run(meant_node(context)))) + "\n")
        self.report({"INFO"}, f"See the text '{LOG_NAME}' in a text editor.")
        return {"FINISHED"}


def last_run(node: Optional[Any]) -> Optional[RunFolder]:
    """The folder of a node's last run; None when there is none."""
    session = None if node is None else sessions.SESSIONS.get(node.node_tree.session_uid)
    return None if session is None else session.node.run


def log_lines(run: Optional[RunFolder]) -> Tuple[str, ...]:
    """The end of a run's log, after where it is; () where there is none."""
    lines = () if run is None else run.last_log_lines(LOG_LINES)
    return (f"The last lines of {run.log}:", *lines) if run is not None and lines else ()


def show_text(name: str, said: str) -> None:
    """Keep words in a text of that name, for Blender's text editor."""
    text = bpy.data.texts.get(name) or bpy.data.texts.new(name)
    text.from_string(said)


def report_page(node: Optional[Any]) -> Optional[Path]:
    """The page of a node's last run; None when there is none."""
    run = last_run(node)
    page = None if run is None else run.report / "index.html"
    return page if page is not None and page.is_file() else None


def result_folder(node: Optional[Any]) -> Optional[Path]:
    """The folder of the frames that a node shows; None when there is none."""
    result = None if node is None else kept_result(node.node_tree)
    folder = None if result is None else Path(result.files).parent
    return folder if folder is not None and folder.is_dir() else None
