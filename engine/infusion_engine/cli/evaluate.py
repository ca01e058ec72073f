"""`infusion-evaluate`: how good a fill is where the truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import click

from infusion_engine.cli.shell import ShellCommand
from infusion_engine.evaluate.compare import Comparison, compare
from infusion_engine.evaluate.figures import Figures

_LINES = (
    ("psnr_hole", "{:.2f} dB", "likeness to the truth in the hole, as displayed; more is better"),
    ("detail", "{:.3f}", "spatial gradient energy, fill / truth; 1 is right, less is blur"),
    ("motion", "{:.3f}", "temporal gradient energy, fill / truth; 1 is right, less is frozen"),
    ("outside", "{:g}", "largest difference outside the hole; must be 0"),
)


@click.command(cls=ShellCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("result")
@click.argument("truth")
@click.option("--matte", metavar="PATH", help="What was replaced; default: a channel of TRUTH.")
@click.option("--matte-channel", metavar="NAME", help="Default: A, else the only one, else R.")
@click.option("--matte-invert", is_flag=True, help="0 means replace.")
@click.option("--layer", metavar="NAME", help="Layer of RESULT to score; default: its own R, G, B.")
@click.option("--frames", metavar="RANGE", help="Such as 1001-1048; default: all of RESULT.")
@click.option("--view", metavar="NAME", help="View of stereo or multi-view files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def main(
    *,
    result: str,
    truth: str,
    matte: str | None,
    matte_channel: str | None,
    matte_invert: bool,
    layer: str | None,
    frames: str | None,
    view: str | None,
    as_json: bool,
) -> None:
    """Compare RESULT with TRUTH inside and outside the matte.

    Both are a folder, a pattern such as fire.%04d.exr, or one frame's path. Scene-linear values are
    compared as they are displayed; what each figure means stands beside it.
    """
    figures = compare(
        Comparison(
            result=result,
            truth=truth,
            matte=matte,
            layer=layer,
            matte_channel=matte_channel,
            matte_invert=matte_invert,
            frames=frames,
            view=view,
        )
    )
    click.echo(_as_json(figures) if as_json else _as_text(figures))


def _as_json(figures: Figures) -> str:
    """The figures by name; an infinite difference becomes the text `inf`, which JSON lacks."""
    values = asdict(figures)
    if math.isinf(figures.outside):
        values["outside"] = "inf"
    return json.dumps(values, allow_nan=False)


def _as_text(figures: Figures) -> str:
    """One line a figure with its meaning."""
    lines = [f"{figures.frames} frames, {figures.hole_pixels} pixels of hole"]
    for name, form, meaning in _LINES:
        value = getattr(figures, name)
        lines.append(f"  {name:<10} {'-' if value is None else form.format(value):>10}   {meaning}")
    return "\n".join(lines)
