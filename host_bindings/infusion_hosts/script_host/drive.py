"""Drive: run a node to its end from plain Python, as an application would, one step at a time."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Optional

from infusion_node.node import POLL_SECONDS, InfusionNode
from infusion_node.status import Status

OnStatus = Callable[[Status], None]
"""Called with each new status, on the caller's own thread."""


def run_to_end(
    node: InfusionNode, shown: Mapping[str, Any], on_status: Optional[OnStatus] = None
) -> Status:
    """Press Inpaint with what the panel would show, and wait; returns the last status.

    A keyboard interrupt cancels the run, waits until the engine has stopped, and goes on up.

    Raises:
        BusyError: the node is at work already.
    """
    try:
        for status in node.inpaint(shown):
            if on_status is not None:
                on_status(status)
        return wait(node, on_status)
    except KeyboardInterrupt:
        node.cancel()
        wait(node, on_status)
        raise


def wait(node: InfusionNode, on_status: Optional[OnStatus] = None) -> Status:
    """Follow a run that is going on, for instance one found by `attach`, until it has ended."""
    last: Optional[Status] = None
    while True:
        status = node.poll()
        if on_status is not None and status != last:
            on_status(status)
        last = status
        if not status.state.is_working:
            return status
        time.sleep(POLL_SECONDS)
