"""`infusion-evaluate`: how good a fill is where the truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from infusion_engine.cli.shell import ShellCommand
from infusion_engine.errors import UsageError
from infusion_engine.evaluate.compare import Comparison, Report, compare

FIGURES = (
    ("psnr_hole", "{:.2f} dB", "likeness to the truth in the hole, as displayed; more is better"),
    ("psnr_full", "{:.2f} dB", "the same over whole frames, known pixels too"),
    ("psnr_8bit", "{:.2f} dB", "whole frames in 8 bits, mean over frames, as in papers"),
    ("ssim_8bit", "{:.4f}", "SSIM of whole frames, window 65, as in papers; 1 is the truth"),
    ("ssim_hole", "{:.4f}", "SSIM in the hole, Gaussian window 11; 1 is the truth"),
    ("swd3d", "{:.3f}", "distance of 3x7x7 patches as sets, x1000; less is better"),
    ("perceptual", "{:.4f}", "SqueezeNet's distance around the hole; less is better"),
    ("lpips", "{:.4f}", "SqueezeNet's distance of whole frames; less is better"),
    ("fvd", "{:.4g}", "Frechet distance of windows by the given network; less is better"),
    ("detail", "{:.3f}", "spatial gradient energy, fill / truth; 1 is right, less is blur"),
    ("motion", "{:.3f}", "temporal gradient energy, fill / truth; 1 is right, less is frozen"),
    ("outside", "{:g}", "largest difference outside the hole; must be 0"),
    ("diversity", "{:.4f}", "deviation over takes / that of the truth, whole frames"),
    ("diversity_hole", "{:.4f}", "the same in the hole"),
    ("calibration", "{:.3f}", "variance of takes / what their error asks for; 1 is right"),
)
"""Every figure with its form and its meaning, as the table shows them from top to bottom."""

_LEFT_OUT = (
    ("perceptual", "perceptual and lpips need --weights"),
    ("frechet", "fvd needs --features"),
    ("takes", "diversity and calibration need --take"),
)


@click.command(cls=ShellCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("result")
@click.argument("truth")
@click.argument("matte", required=False)
@click.option(
    "--matte",
    "matte_option",
    metavar="PATH",
    help="MATTE, as an option: what was replaced; default: a channel of TRUTH.",
)
@click.option("--matte-channel", metavar="NAME", help="Default: A, else the only one, else R.")
@click.option("--matte-invert", is_flag=True, help="0 means replace.")
@click.option("--layer", metavar="NAME", help="Layer of RESULT to score; default: its own R, G, B.")
@click.option("--frames", metavar="RANGE", help="Such as 1001-1048; default: all of RESULT.")
@click.option("--view", metavar="NAME", help="View of stereo or multi-view files.")
@click.option(
    "--take",
    "takes",
    metavar="PATH",
    multiple=True,
    help="Another take of RESULT, for diversity and calibration; may be given again.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with SqueezeNet's weights, for perceptual and lpips.",
)
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TorchScript network from (1, 3, T, H, W) to (1, D), for fvd; it can run any code of "
    "torch's.",
)
@click.option(
    "--feature-frames",
    type=int,
    default=16,
    show_default=True,
    metavar="T",
    help="Frames in one of that network's windows.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def main(
    *,
    result: str,
    truth: str,
    matte: str | None,
    matte_option: str | None,
    matte_channel: str | None,
    matte_invert: bool,
    layer: str | None,
    frames: str | None,
    view: str | None,
    takes: tuple[str, ...],
    weights: Path | None,
    features: Path | None,
    feature_frames: int,
    as_json: bool,
) -> None:
    """Compare RESULT with TRUTH inside and outside MATTE, which is what was replaced.

    Each is a folder, a pattern such as fire.%04d.exr, or one frame's path. MATTE may also be given
    with --matte; without either it is a channel of TRUTH. Scene-linear values are compared as they
    are displayed; what each figure means stands beside it. Nothing is downloaded.
    """
    report = compare(
        Comparison(
            result=result,
            truth=truth,
            matte=_one_matte(matte, matte_option),
            takes=takes,
            layer=layer,
            matte_channel=matte_channel,
            matte_invert=matte_invert,
            frames=frames,
            view=view,
            weights=weights,
            features=features,
            feature_frames=feature_frames,
        )
    )
    shortage = None if report.frechet is None else report.frechet.shortage()
    if shortage:
        click.echo(f"Warning: {shortage}", err=True)
    if as_json:
        click.echo(_as_json(report))
    else:
        _show(report)


def _one_matte(third: str | None, option: str | None) -> str | None:
    """The matte, given as the third argument or with --matte; None where neither was.

    Raises:
        UsageError: both were, and which of them counts would be a guess.
    """
    if third is not None and option is not None:
        raise UsageError(
            f"The matte was given twice: '{third}' as the third argument, '{option}' with --matte.",
            remedy="Give it once.",
        )
    return option if third is None else third


def _by_name(report: Report) -> dict[str, int | float | None]:
    """Every figure that was asked for, by its name."""
    values: dict[str, int | float | None] = {}
    for family in (report.figures, report.protocol, report.perceptual, report.frechet):
        if family is not None:
            values |= asdict(family)
    if report.takes is not None:
        values |= asdict(report.takes)
    return values | {"swd3d": report.swd3d}


def _as_json(report: Report) -> str:
    """The figures by name; an infinite difference becomes the text `inf`, which JSON lacks."""
    values: dict[str, object] = dict(_by_name(report))
    if math.isinf(report.figures.outside):
        values["outside"] = "inf"
    return json.dumps(values, allow_nan=False)


def _show(report: Report) -> None:
    """A table with a line for each figure and its meaning, and what was left out."""
    values = _by_name(report)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure", no_wrap=True)
    table.add_column("value", no_wrap=True, justify="right")
    table.add_column("meaning")
    for name, form, meaning in FIGURES:
        if name in values:
            value = values[name]
            table.add_row(name, "-" if value is None else form.format(value), meaning)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 120  # a pipe has no width; one line a figure is easier to search
    click.echo(_heading(report))
    console.print(table)
    left_out = [why for family, why in _LEFT_OUT if getattr(report, family) is None]
    if left_out:
        click.echo(f"Left out: {'; '.join(left_out)}.")


def _heading(report: Report) -> str:
    """What was compared, in one line."""
    text = f"{report.figures.frames} frames, {report.figures.hole_pixels} pixels of hole"
    if report.takes is not None:
        text += f", {report.takes.takes} takes"
    if report.frechet is not None:
        text += f", {report.frechet.fvd_windows} windows of {report.frechet.fvd_features} features"
    return text


if __name__ == "__main__":
    main()
