"""Lineup: one frame of several fills side by side, enlarged, as a PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_ZOOM = 2
_GAP = 8
_LABEL = 18
_PAPER = (24, 24, 24)
_INK = (208, 208, 208)


def draw_lineup(rows: Mapping[str, Mapping[str, Path]], file: Path) -> None:
    """One row a trial, one column a fill: by the row's name, each fill's name and its picture.

    Pictures are 8 bits.
    """
    opened = {
        row: {name: _enlarged(picture) for name, picture in fills.items()}
        for row, fills in rows.items()
    }
    font = ImageFont.load_default(size=12)
    widths = [sum(p.width + _GAP for p in fills.values()) for fills in opened.values()]
    heights = [
        max(p.height for p in fills.values()) + 2 * _LABEL + _GAP for fills in opened.values()
    ]
    sheet = Image.new("RGB", (_GAP + max(widths), _GAP + sum(heights)), _PAPER)
    draw, top = ImageDraw.Draw(sheet), _GAP
    for (row, fills), height in zip(opened.items(), heights, strict=True):
        left = _GAP
        for number, (name, picture) in enumerate(fills.items()):
            first = row if number == 0 else ""
            draw.text((left, top), f"{first}\n{name}", fill=_INK, font=font)
            sheet.paste(picture, (left, top + 2 * _LABEL))
            left += picture.width + _GAP
        top += height
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file)


def middle_of(folder: Path) -> Path:
    """The middle one of a folder's pictures."""
    frames = sorted(folder.glob("*.png"))
    return frames[len(frames) // 2]


def _enlarged(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        size = (picture.width * _ZOOM, picture.height * _ZOOM)
        return picture.convert("RGB").resize(size, Image.Resampling.NEAREST)
