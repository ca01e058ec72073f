"""The button Doctor: Nuke goes on while it is asked, and its page comes in a message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from infusion_hosts.nuke_host import buttons
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke


def test_the_doctor_is_asked_beside_the_work(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """The button returns at once; the page comes in a message, and so does what went wrong."""
    engine = stand_in("finish")
    doctor = engine.with_name("infusion-doctor")
    doctor.write_text('#!/bin/sh\necho "OK $*"\n')
    doctor.chmod(0o755)
    node["cache"].setValue("/fast/cache")
    buttons.doctor(node)
    assert stage.messages == []
    stage.pump(lambda: bool(stage.messages), seconds=20)
    assert stage.messages.pop() == "OK --cache /fast/cache --device auto\n"
    doctor.unlink()
    buttons.doctor(node)
    stage.pump(lambda: bool(stage.messages), seconds=20)
    assert "infusion-doctor' cannot be started" in stage.messages.pop()
