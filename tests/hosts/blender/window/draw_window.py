"""Draws the Blender page's pictures: `python -m tests.hosts.blender.window.draw_window DEMO`.

DEMO is the folder that `make demo` filled. A Blender with a window inpaints its shot with another
seed, which takes as long as the demo, and is photographed on the way and at the end.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.hosts.blender.window.display import blender_with_window, played

IMAGES = Path(__file__).resolve().parents[4] / "docs/images"
COUNT = 48
COMPOSITOR = (0, 28, 1322, 956)
"""Left, top, right and bottom of the editors that matter, in the window."""


def draw(demo: Path) -> None:
    """Write `blender-working.png` and `blender-done.png`."""
    blender = blender_with_window()
    if blender is None:
        sys.exit("no Blender with a window: INFUSION_TEST_BLENDER or blender, and xvfb-run")
    with tempfile.TemporaryDirectory() as work:
        asked = {
            "plate": str(demo / "plate/fire.1001.exr"),
            "matte": str(demo / "matte/fire.1001.exr"),
            "count": COUNT,
            "blend": f"{work}/shot.blend",
            "knobs": {
                "engine": str(Path(sys.executable).with_name("infusion-render")),
                "cache": str(demo / "cache"),
                "seed": 1,  # with the demo's own there is nothing to wait for
            },
            "look_at": 0.66,
            "escape": False,
        }
        told = played(blender, Path(work) / "pictures", asked, seconds=1800)
        if told["state"] != "done":
            sys.exit(f"{told['line']} {told['remedy']}")
        for name, target in (("working", "blender-working"), ("ended", "blender-done")):
            with Image.open(f"{work}/pictures/{name}.png") as picture:
                picture.convert("RGB").crop(COMPOSITOR).save(IMAGES / f"{target}.png")


if __name__ == "__main__":
    draw(Path(sys.argv[1]).resolve())
