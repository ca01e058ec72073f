"""The doctor beside the engine, asked with what the panel holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_node.doctor import command_for, doctor_says
from infusion_node.errors import EngineError, SetupError


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An engine with a doctor beside it, which says how it was asked."""
    for name in ("infusion-render", "infusion-doctor"):
        (tmp_path / name).write_text('#!/bin/sh\necho "OK $*"; echo "$PYTHONHOME" >&2\n')
        (tmp_path / name).chmod(0o755)
    return tmp_path / "infusion-render"


def test_it_is_asked_with_the_panels_device_and_cache(engine: Path) -> None:
    """What a run would be given is what it looks at; the host's own Python settings stay out."""
    shown = {"engine": str(engine), "cache": "/fast/cache", "device": "cuda:1", "seed": 3}
    environment = {"PYTHONHOME": "/host"}
    assert doctor_says(shown, environment) == "OK --cache /fast/cache --device cuda:1\n\n"
    assert doctor_says({"engine": str(engine), "cache": ""}, {}) == "OK \n\n"


def test_a_windows_doctor_has_the_engines_suffix(tmp_path: Path) -> None:
    """It lies beside the engine."""
    (tmp_path / "infusion-render.exe").touch()
    command = command_for({"engine": str(tmp_path / "infusion-render.exe")}, {})
    assert command == (str(tmp_path / "infusion-doctor.exe"),)


def test_what_cannot_be_asked_is_told(engine: Path) -> None:
    """A relative cache folder, and an engine that has no doctor."""
    with pytest.raises(SetupError, match="Cache folder"):
        doctor_says({"engine": str(engine), "cache": "here"}, {})
    engine.with_name("infusion-doctor").unlink()
    with pytest.raises(EngineError, match="infusion-doctor' cannot be started"):
        doctor_says({"engine": str(engine)}, {})
