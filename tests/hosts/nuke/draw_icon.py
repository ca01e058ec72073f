"""Draws the node's icon: `python tests/hosts/nuke/draw_icon.py` writes it where Nuke finds it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

ICON = (
    Path(__file__).resolve().parents[3]
    / "host_bindings/infusion_hosts/nuke_host/plugin/icons/infusion_inpaint.png"
)
SIZE = 24
FINE = 16
"""The icon is drawn that many times as large and then made smaller, for smooth edges."""

FLAME = (
    (12, 3), (15, 8), (14.4, 10.4), (17, 9.4), (18.4, 13), (17.6, 17.4), (14.8, 20.4), (12, 21),
    (9.2, 20.4), (6.4, 17.4), (5.8, 13.6), (7.4, 10.6), (9.4, 12), (10, 8),
)  # fmt: skip
HEART = ((12, 12), (14, 15), (13.6, 18), (12, 19.4), (10.4, 18), (10, 15.4))


def icon() -> Image.Image:
    """A flame inside of a matte's dashed outline, on nothing."""
    picture = Image.new("RGBA", (SIZE * FINE, SIZE * FINE), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(x * FINE, y * FINE) for x, y in FLAME], fill=(240, 120, 40, 255))
    draw.polygon([(x * FINE, y * FINE) for x, y in HEART], fill=(255, 214, 120, 255))
    low, high, dash = 1.0, SIZE - 1.0, 3.0
    at = low
    while at < high:
        end = min(at + dash, high)
        for line in (
            (at, low, end, low), (at, high, end, high), (low, at, low, end), (high, at, high, end),
        ):  # fmt: skip
            draw.line([place * FINE for place in line], fill=(230, 230, 230, 255), width=FINE + 4)
        at += 2 * dash
    return picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    ICON.parent.mkdir(parents=True, exist_ok=True)
    icon().save(ICON)
