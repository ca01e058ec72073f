"""The options of `infusion-render`, made from the table of knobs, and a help page that teaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from infusion_engine.cli.shell import ShellCommand
from infusion_engine.errors import UsageError
from infusion_node.wire.knobs import KNOBS, Group, Kind, Knob, knob

_TYPES: Mapping[Kind, click.ParamType[Any]] = {
    Kind.PATH: click.STRING,
    Kind.TEXT: click.STRING,
    Kind.WHOLE: click.INT,
    Kind.NUMBER: click.FLOAT,
}

PLATE = knob("plate")


class KnobOption(click.Option):
    """An option that stands under a heading of the help page."""

    def __init__(self, declarations: Sequence[str], *, group: Group, **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.group = group


class KnobCommand(ShellCommand):
    """A command whose help page shows the knobs under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each group of knobs, and one for the command's own options."""
        sections: dict[str, list[tuple[str, str]]] = {group.value: [] for group in Group}
        own = sections.setdefault("Command", [])
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Argument):
                sections[Group.FILES.value].append((PLATE.metavar, PLATE.help + _limits(PLATE)))
            elif record is not None and isinstance(parameter, KnobOption):
                sections[parameter.group.value].append(record)
            elif record is not None:
                own.append(record)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=26)


def knob_parameters() -> list[click.Parameter]:
    """The plate as an argument and every other knob as an option; None where nobody gave it."""
    parameters: list[click.Parameter] = []
    for entry in KNOBS:
        if entry is PLATE:
            parameters.append(
                click.Argument([entry.name], required=False, default=None, metavar=entry.metavar)
            )
        elif entry.name == "use_cache":
            parameters.append(
                KnobOption(
                    ["--no-cache"],
                    group=entry.group,
                    is_flag=True,
                    default=None,
                    help="Keep nothing after the run: it cannot be resumed, and another seed fits "
                    "anew.",
                )
            )
        else:
            parameters.append(_option(entry))
    return parameters


def changes_from(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a job that the command line sets; only what the user really gave.

    Raises:
        UsageError: `--cache` beside `--no-cache`, or a `--set` that is not KEY=VALUE.
    """
    changes = {
        entry.name: given[entry.name]
        for entry in KNOBS
        if entry.name not in ("use_cache", "settings") and given[entry.name] is not None
    }
    if given["no_cache"]:
        if "cache" in changes:
            raise UsageError("--cache and --no-cache exclude each other.", remedy="Give one.")
        changes["use_cache"] = False
    elif "cache" in changes:
        changes["use_cache"] = True
    if given["settings"]:
        changes["settings"] = dict(_pair(text) for text in given["settings"])
    return changes


def _pair(text: str) -> tuple[str, str]:
    """KEY=VALUE as (key, value)."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise UsageError(
            f"--set: found {text!r}, expected KEY=VALUE.",
            remedy="For instance --set steps_per_interval=500.",
        )
    return key.strip(), value.strip()


def _option(entry: Knob) -> KnobOption:
    """One knob as an option."""
    text = entry.help + _limits(entry)
    if entry.kind is Kind.SWITCH:
        both = f"{entry.flag}/--no-{entry.flag.removeprefix('--')}"
        return KnobOption([both], group=entry.group, default=None, help=text)
    if entry.kind is Kind.PAIRS:
        return KnobOption(
            ["--set", entry.name],
            group=entry.group,
            multiple=True,
            metavar=entry.metavar,
            help=text,
        )
    if entry.kind is Kind.CHOICE:
        choice = click.Choice(entry.choices)
        return KnobOption([entry.flag], group=entry.group, type=choice, default=None, help=text)
    return KnobOption(
        [entry.flag],
        group=entry.group,
        type=_TYPES[entry.kind],
        default=None,
        metavar=entry.metavar,
        help=text,
    )


def _limits(entry: Knob) -> str:
    """Unit, range and default of a knob as the help page shows them."""
    parts = []
    if entry.least is not None and entry.most is not None and entry.most < 2**32:
        parts.append(f"{entry.least} to {entry.most} {entry.unit}".rstrip())
    if entry.required:
        parts.append("required, here or in --job")
    elif entry.default is not None and entry.kind not in (Kind.SWITCH, Kind.PAIRS):
        parts.append(f"default {entry.default:g}" if entry.unit else f"default {entry.default}")
    return f"  [{'; '.join(parts)}]" if parts else ""
