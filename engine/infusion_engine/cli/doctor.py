"""`infusion-doctor`: one page of what a support person asks, and whether a render would run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from infusion_engine import __version__
from infusion_engine.cli.shell import ShellCommand
from infusion_engine.cli.terminal import claimed_stdout
from infusion_engine.doctor.examination import examine
from infusion_engine.doctor.findings import Outcome, Section, exit_code, failures
from infusion_node.wire.knobs import knob

_EPILOG = """\b
Examples:
  infusion-doctor
  infusion-doctor --device cuda --cache /fast/cache
  infusion-doctor --json > doctor.json

\b
Exit codes: 0 a render would run, 2 usage, 4 the device cannot be used, 5 cache
or disk, 1 anything else. Of several failures the first on the page tells."""

_WORDS = {
    Outcome.OK: ("OK", "green"),
    Outcome.WARNING: ("WARN", "yellow"),
    Outcome.FAILED: ("FAIL", "bold red"),
}
"""What stands before a finding, and its style on a terminal."""
_NAME_WIDTH = 16
"""Columns of the longest name of a check."""
_DEVICE = knob("device")
_CACHE = knob("cache")


def _device(_context: click.Context, _option: click.Parameter, text: str) -> str:
    """A device as the knob of that name allows it."""
    if re.fullmatch(_DEVICE.pattern, text) is None:
        raise click.BadParameter(f"{text!r}: expected {_DEVICE.wording}.")
    return text


@click.command(
    "infusion-doctor",
    cls=ShellCommand,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the page.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    show_default="the user's own",
    metavar=_CACHE.metavar,
    help="The cache folder that renders are given.",
)
@click.option(
    "--device",
    default=_DEVICE.default,
    callback=_device,
    show_default=True,
    metavar=_DEVICE.metavar,
    help="The device that renders are given.",
)
def main(*, as_json: bool, cache: Path | None, device: str) -> int:
    """Show on one page what a support person asks, and whether a render would run here.

    Versions, device and memory, bfloat16 against float32, the engine's answer to a node, a frame of
    each kind through reading and writing, the cache, free disk, and plug-ins of hosts. What is
    wrong has what to do under it. Nothing is changed and nothing leaves this machine.
    """
    looked = examine(cache=cache, device=device)
    if as_json:
        stdout = claimed_stdout(sys.stdout)  # libraries print, too
        sections = list(looked)
        stdout.write(json.dumps(_described(sections), indent=2) + "\n")
        stdout.flush()
    else:
        sections = _show(looked)
    return exit_code(sections)


def _described(sections: Sequence[Section]) -> dict[str, object]:
    """The page for programs; docs/doctor.md says what each field is."""
    return {
        "version": __version__,
        "would_render": not failures(sections),
        "sections": [
            {
                "name": section.name,
                "checks": [
                    {
                        "name": finding.name,
                        "outcome": finding.outcome.value,
                        "found": finding.found,
                        "remedy": finding.remedy,
                    }
                    for finding in section.findings
                ],
            }
            for section in sections
        ],
    }


def _show(looked: Iterable[Section]) -> list[Section]:
    """Print each section as soon as it is known, and the verdict; all sections."""
    console = Console(highlight=False, soft_wrap=True)
    _line(console, Text(f"Infusion Inpaint {__version__}: what a render needs of this machine"))
    sections = []
    for section in looked:
        sections.append(section)
        _line(console, Text(f"\n{section.name}", style="bold"))
        for finding in section.findings:
            word, style = _WORDS[finding.outcome]
            name = f"{finding.name:<{_NAME_WIDTH}}  "
            _line(console, Text.assemble("  ", (f"{word:<6}", style), name, finding.found))
            if finding.remedy:
                _line(console, Text(" " * (10 + _NAME_WIDTH) + finding.remedy))
    _line(console, Text(f"\n{_verdict(sections)}", style="bold"))
    return sections


def _verdict(sections: Sequence[Section]) -> str:
    count = len(failures(sections))
    if not count:
        return "A render would run."
    return f"A render would not run: {count} {'check' if count == 1 else 'checks'} failed."


def _line(console: Console, text: Text) -> None:
    """One line; characters that the stream cannot show are spelled out."""
    plain = text.plain.encode(console.encoding, "backslashreplace").decode(console.encoding)
    console.print(text if plain == text.plain else Text(plain))


if __name__ == "__main__":
    main(prog_name="infusion-doctor")
