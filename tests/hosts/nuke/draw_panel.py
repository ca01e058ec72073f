"""Draws the panel as Nuke lays it out: `python -m tests.hosts.nuke.draw_panel` writes the picture.

The knobs are those of the table that the panel itself is made from; Nuke's own look is only hinted
at. What is written in the picture is kept in it as text, so that a test notices when it is stale.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from infusion_node.panel import PANEL, resting
from infusion_node.wire.knobs import Kind, Knob

PICTURE = Path(__file__).resolve().parents[3] / "docs/images/nuke-panel.png"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
WIDTH, LINE, LABEL = 760, 30, 170
BACK, FIELD, TEXT, DIM = (50, 50, 50), (34, 34, 34), (222, 222, 222), (150, 150, 150)
STATUS = "41 %: Inpainting, interval 3 of 6, about 4 min left."
MERGE, TAKE = "Fill in RGB", "Shown take"


def lines(buttons: tuple[str, ...]) -> list[str]:
    """Everything that is written in the picture, from top to bottom."""
    found = [STATUS, *buttons, MERGE, TAKE]
    heading = None
    for knob in PANEL:
        if knob.group is not heading:
            heading = knob.group
            found.append(heading.value)
        found.append(knob.label)
    return found


def panel(buttons: tuple[str, ...]) -> Image.Image:
    """The panel of an untouched node while it works."""
    headings = len({knob.group for knob in PANEL})
    picture = Image.new("RGB", (WIDTH, (len(PANEL) + headings + 5) * LINE + 16), BACK)
    draw = ImageDraw.Draw(picture)
    font, bold = ImageFont.load_default(15), ImageFont.load_default(16)
    draw.rectangle((0, 0, WIDTH, LINE), fill=(68, 68, 68))
    draw.text((12, 6), "InfusionInpaint1", font=bold, fill=TEXT)
    y = LINE + 8
    _label(draw, font, y, "Status")
    draw.text((LABEL, y + 4), STATUS, font=font, fill=TEXT)
    y += LINE
    x = 12
    for text in buttons:
        width = int(draw.textlength(text, font=font)) + 24
        draw.rounded_rectangle((x, y + 2, x + width, y + LINE - 4), 4, fill=(84, 84, 84))
        draw.text((x + 12, y + 5), text, font=font, fill=TEXT)
        x += width + 8
    y += LINE
    _switch(draw, font, y, MERGE, is_on=False)
    y += LINE
    _label(draw, font, y, TAKE)
    draw.rounded_rectangle((LABEL, y + 3, LABEL + 230, y + LINE - 4), 3, fill=FIELD)
    draw.text((LABEL + 8, y + 5), "1", font=font, fill=TEXT)
    y += LINE
    heading = None
    for knob in PANEL:
        if knob.group is not heading:
            heading = knob.group
            draw.text((12, y + 6), heading.value, font=bold, fill=TEXT)
            start = 24 + draw.textlength(heading.value, font=bold)
            draw.line((start, y + 16, WIDTH - 12, y + 16), fill=(84, 84, 84))
            y += LINE
        _widget(draw, font, y, knob)
        y += LINE
    return picture


def _widget(draw: ImageDraw.ImageDraw, font: Font, y: int, knob: Knob) -> None:
    """One setting."""
    if knob.kind is Kind.SWITCH:
        _switch(draw, font, y, knob.label, is_on=bool(resting(knob)))
        return
    _label(draw, font, y, knob.label)
    right = WIDTH - 44 if knob.kind in (Kind.PATH, Kind.PAIRS) else LABEL + 230
    draw.rounded_rectangle((LABEL, y + 3, right, y + LINE - 4), 3, fill=FIELD)
    draw.text((LABEL + 8, y + 5), str(resting(knob)), font=font, fill=TEXT)
    if knob.kind is Kind.PATH:
        draw.rounded_rectangle((right + 6, y + 3, WIDTH - 12, y + LINE - 4), 3, fill=(84, 84, 84))
        draw.text((right + 13, y + 3), "...", font=font, fill=TEXT)
    if knob.kind is Kind.CHOICE:
        draw.polygon([(right - 18, y + 12), (right - 8, y + 12), (right - 13, y + 18)], fill=DIM)
    if knob.unit:
        draw.text((right + 10, y + 5), knob.unit, font=font, fill=DIM)


def _label(draw: ImageDraw.ImageDraw, font: Font, y: int, text: str) -> None:
    """A label, flush right before its widget."""
    draw.text((LABEL - 10 - draw.textlength(text, font=font), y + 5), text, font=font, fill=TEXT)


def _switch(draw: ImageDraw.ImageDraw, font: Font, y: int, text: str, *, is_on: bool) -> None:
    """A box with its label behind it."""
    draw.rectangle((LABEL, y + 7, LABEL + 14, y + 21), fill=FIELD, outline=(110, 110, 110))
    if is_on:
        draw.line([(LABEL + 3, y + 14), (LABEL + 6, y + 18), (LABEL + 12, y + 9)], TEXT, 2)
    draw.text((LABEL + 22, y + 5), text, font=font, fill=TEXT)


def save(path: Path, buttons: tuple[str, ...]) -> None:
    """Draw the panel into a file, with what is written in it as text."""
    text = PngImagePlugin.PngInfo()
    text.add_text("lines", "\n".join(lines(buttons)))
    panel(buttons).save(path, pnginfo=text, optimize=True)


if __name__ == "__main__":
    from tests.hosts.nuke import conftest  # noqa: F401 - without it there is no `nuke` to import

    # isort: split
    from infusion_hosts.nuke_host.panel import BUTTONS

    save(PICTURE, tuple(button.label for button in BUTTONS))
