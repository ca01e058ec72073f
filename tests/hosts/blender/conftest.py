"""A real shot on disk, the extension installed, and stories played inside a real Blender."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infusion_hosts.blender_host.install import install
from tests.hosts.blender.shot import Shot, write_shot

Play = Callable[..., Any]
"""`play(story, **arguments)`: what the story told."""

BLENDERS = [
    pytest.param(("INFUSION_TEST_BPY", "bpy45"), id="4.5"),
    pytest.param(("INFUSION_TEST_BPY50", "bpy50"), id="5.0", marks=pytest.mark.slow),
]


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Four half frames from 1001 with values above 1 and below 0, and a drifting matte."""
    return write_shot(tmp_path)


@pytest.fixture(params=BLENDERS)
def play(request: pytest.FixtureRequest, tmp_path: Path, checkout: Path) -> Play:
    """Plays a story in a Blender of its own, in which the extension is installed.

    `INFUSION_TEST_BPY` and `INFUSION_TEST_BPY50` name the Pythons that have bpy; without them
    they are looked for where `make test-hosts` puts them.
    """
    variable, name = request.param
    python = Path(os.environ.get(variable) or checkout / f"build/hosts/{name}/bin/python")
    if not python.is_file():
        pytest.skip(f"no Blender: {variable} or {python} (see make test-hosts)")
    resources = tmp_path / "resources"
    install(resources / "extensions" / "user_default")
    environment = {
        **{key: text for key, text in os.environ.items() if not key.startswith("PYTHON")},
        "BLENDER_USER_RESOURCES": str(resources),
        "XDG_CACHE_HOME": str(tmp_path / "user-cache"),
        "OCIO": "",
    }
    environment.pop("INFUSION_ENGINE", None)

    def run(story: str, **arguments: Any) -> Any:
        asked, answer = tmp_path / "asked.json", tmp_path / "told.json"
        asked.write_text(json.dumps(arguments))
        answer.unlink(missing_ok=True)
        command = [str(python), "-m", "tests.hosts.blender.play", story, str(asked), str(answer)]
        done = subprocess.run(
            command,
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert answer.exists(), done.stdout + done.stderr
        return json.loads(answer.read_text())

    return run
