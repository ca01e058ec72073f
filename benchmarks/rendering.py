"""Rendering: one render by the real command, in a process of its own, and how long it took."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.command import printed


@dataclass(frozen=True)
class Rendering:
    """How a shot is rendered."""

    preset: str = "draft"
    """Of `infusion-render`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Numbers that replace the preset's."""
    flags: Sequence[str] = ()
    """Further flags of the command, such as `--minutes 8`."""
    threads: int = 1
    """CPU threads."""
    device: str = "cpu"
    """What `--device` is given."""

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "preset": self.preset,
            "settings": dict(self.settings),
            "flags": list(self.flags),
            "threads": self.threads,
        }


def rendered(
    rendering: Rendering,
    plate: Path,
    matte: Path,
    output: Path,
    *flags: str,
    cache: Path | None = None,
    limit: float | None = None,
) -> float:
    """Render frames and a contact sheet into `output`.

    Args:
        rendering: how.
        plate: its frames.
        matte: what to replace.
        output: gets `frames` and `contact.png`.
        flags: of this render alone, beside those of `rendering`.
        cache: where fits are found and kept; none if not given.
        limit: seconds after which the render is ended.

    Returns:
        Seconds of wall time of the whole command.

    Raises:
        RuntimeError: the render failed; its last lines are told.
        subprocess.TimeoutExpired: it took longer than its limit.
    """
    output.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "infusion_engine.cli.render", str(plate)),
        *("--matte", str(matte), "--output", str(output / "frames")),
        *("--contact-sheet", str(output / "contact.png"), "--events", "none"),
        *(("--no-cache",) if cache is None else ("--cache", str(cache))),
        *("--preset", rendering.preset, "--device", rendering.device),
        *("--threads", str(rendering.threads), *rendering.flags, *flags),
        *(x for k, v in rendering.settings.items() for x in ("--set", f"{k}={v}")),
    ]
    began = time.monotonic()
    printed(command, limit)
    return round(time.monotonic() - began, 1)


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """The options that say how a benchmark's shot is rendered; `rendering_of` reads them."""
    parser.add_argument("--preset", default="draft", help="of infusion-render (draft)")
    parser.add_argument("--minutes", help="as infusion-render takes it")
    parser.add_argument("--set", action="append", default=[], type=_pair, metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")


def rendering_of(asked: argparse.Namespace) -> Rendering:
    """What was asked for with the options of `add_rendering`."""
    return Rendering(
        preset=asked.preset,
        settings=dict(asked.set),
        flags=("--minutes", asked.minutes) if asked.minutes else (),
        threads=asked.threads,
        device=asked.device,
    )


def _pair(text: str) -> tuple[str, str]:
    """KEY=VALUE as `--set` of the command takes it."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
