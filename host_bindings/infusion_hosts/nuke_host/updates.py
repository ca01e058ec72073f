"""Updates: a run is watched on a thread and shown on Nuke's main thread, between renders."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Callable, Optional

import nuke

from infusion_node.job_folder import Where
from infusion_node.node import POLL_SECONDS, InfusionNode
from infusion_node.status import Status

Show = Callable[[Status], None]
"""Shows a status in the panel; called on Nuke's main thread."""


class Bar:
    """Nuke's progress window, which must never be what a run fails on."""

    def __init__(self, title: str) -> None:
        self._task: Optional[nuke.ProgressTask] = None
        with suppress(Exception):
            self._task = nuke.ProgressTask(title)

    def show(self, status: Status) -> bool:
        """Show line and fraction; True when somebody pressed its Cancel."""
        if self._task is None:
            return False
        try:
            self._task.setMessage(status.line)
            if status.fraction is not None:
                self._task.setProgress(int(100 * status.fraction))
            return bool(self._task.isCancelled())
        except Exception:  # noqa: BLE001 - Nuke's own, and none of the run's business
            self.close()
            return False

    def close(self) -> None:
        """Take the window away, which Nuke does when nobody holds the task."""
        self._task = None


class Follower:
    """Watches one node's run until its end has been shown.

    A status is handed to the main thread and counts as shown only when it was: while Nuke renders
    no knob may be set, so it is offered again. Nobody waits for the main thread.
    """

    def __init__(
        self, node: InfusionNode, show: Show, is_alive: Callable[[], bool], title: str
    ) -> None:
        """`is_alive` is asked on the main thread: False once Nuke has no such node any more."""
        self._node = node
        self._show_status = show
        self._is_alive = is_alive
        self._title = title
        self._shown: Optional[Status] = None
        self._complaint = ""
        self._is_asked = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="infusion-follow", daemon=True)

    @property
    def is_over(self) -> bool:
        """True once the run's end has been shown, or the node is no more."""
        return self._is_over.is_set()

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Show nothing any more; the run itself goes on."""
        self._is_over.set()

    def _follow(self) -> None:
        """What the thread does."""
        bar: Optional[Bar] = None
        while not self._is_over.is_set():
            status = self._node.poll()
            # A farm takes hours, for which nobody wants a window, whose Cancel is soon pressed.
            if status.state.is_working and self._node.where is Where.HERE:
                bar = bar or Bar(f"Infusion Inpaint: {self._title}")
                if bar.show(status):
                    self._node.cancel()
            elif bar is not None:
                bar.close()
            if status != self._shown and not self._is_asked:
                self._is_asked = True
                nuke.executeInMainThread(self._on_main_thread, args=(status,))
            self._is_over.wait(POLL_SECONDS)

    def _on_main_thread(self, status: Status) -> None:
        """Show the status unless Nuke renders; then it is offered again at the next look."""
        self._is_asked = False
        if nuke.executing() or self.is_over:
            return
        try:
            self._show_status(status)
        except LookupError:  # the script is still being read
            return
        except Exception as error:  # noqa: BLE001 - the run goes on, and has to be looked after
            if not self._is_alive():  # deleted, or its script was closed; the engine goes on
                self._is_over.set()
                return
            if repr(error) != self._complaint:  # said once, and not at every look
                self._complaint = repr(error)
                nuke.tprint(f"Infusion Inpaint could not show '{status.line}': {error}")
        self._shown = status
        if not status.state.is_working:
            self._is_over.set()
