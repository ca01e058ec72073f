"""In a real window: the button, the modal operator's own events, Esc, and what is to be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.hosts.blender.shot import write_shot
from tests.hosts.blender.window.display import SIZE, blender_with_window, played

pytestmark = pytest.mark.slow

Use = Callable[..., dict[str, Any]]


@pytest.fixture
def use(tmp_path: Path) -> Use:
    """Uses the node in a window, with these knobs; returns what was told."""
    blender = blender_with_window()
    if blender is None:
        pytest.skip("no Blender with a window: INFUSION_TEST_BLENDER or blender, and xvfb-run")
    shot = write_shot(tmp_path)

    def in_window(*, escape: bool = False, **knobs: Any) -> dict[str, Any]:
        shot.blend.parent.mkdir(exist_ok=True)
        asked = shot.arguments(**knobs) | {"count": 4}
        asked |= {"look_at": 0.0, "escape": escape}
        return played(blender, tmp_path / "window", asked, seconds=300)

    return in_window


def test_the_button_starts_a_run_that_ends_in_the_nodes_output(use: Use, tmp_path: Path) -> None:
    """The header tells how far it is until the operator lets go; the window has been drawn."""
    told = use()
    assert (told["state"], told["holds_on"]) == ("done", False)
    assert told["headers"]
    assert all(text.endswith("Esc over the compositor cancels.") for text in told["headers"])
    assert Path(told["result"]).parent.is_dir()
    assert told["undone"] == [False, True]  # what the run brought, and nothing else
    for name in ("ready", "ended"):
        with Image.open(tmp_path / f"window/{name}.png") as picture:
            assert picture.size == SIZE
            assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 100  # something is drawn


def test_escape_in_the_window_cancels(use: Use) -> None:
    """The key goes through the window's own events to the operator, and stops the engine."""
    more = "steps_per_interval=100000"
    told = use(escape=True, settings=more)
    assert (told["state"], told["holds_on"]) == ("cancelled", False)
    assert told["line"].startswith("Cancelled")
