"""`infusion-cache`: what is in the cache, whether it is sound, and making room in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from infusion_engine.cache.inventory import Item, inventory, require_cache
from infusion_engine.cache.prune import Limits, choose, prune
from infusion_engine.cache.store import Store, default_folder
from infusion_engine.cli.shell import ShellGroup
from infusion_engine.errors import StorageError, UsageError

SHORT = 12
"""Digits of a key that are shown; enough to tell entries apart by eye."""

_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_AGES = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def _age(_context: click.Context, _option: click.Parameter, text: str | None) -> timedelta | None:
    """`30d` as a length of time; a callback, because it names what it expected."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match is None:
        raise click.BadParameter(f"{text!r}: expected a number and m, h, d or w, as in 30d.")
    return timedelta(seconds=int(match[1]) * _AGES[match[2]])


def _size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """`20G` in bytes; K, M, G and T are powers of 1000, as `list` shows them."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)([KMGT]?)B?", text.upper())
    if match is None:
        raise click.BadParameter(f"{text!r}: expected a number and K, M, G or T, as in 20G.")
    return int(float(match[1]) * _SIZES[match[2]])


_cache_option = click.option(
    "--cache",
    "folder",
    type=click.Path(path_type=Path),
    default=default_folder,
    show_default="the user's own",
    metavar="DIR",
    help="The cache folder.",
)


@click.group(cls=ShellGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look at, check and clear the cache of fits and samples."""


@main.command("list")
@_cache_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def list_entries(folder: Path, as_json: bool) -> None:
    """Show what is in the cache, how large it is, and what it belongs to."""
    items = inventory(folder) if require_cache(folder) else []
    size = sum(item.size for item in items)
    if as_json:
        entries = [_described(item) for item in items]
        click.echo(json.dumps({"cache": str(folder), "bytes": size, "entries": entries}, indent=2))
        return
    if items:
        _show(items)
    click.echo(f"{_counted(items)}, {decimal(size)}, in {folder}")


@main.command()
@_cache_option
@click.option("--remove", is_flag=True, help="Remove damaged entries; they are computed again.")
def verify(folder: Path, remove: bool) -> None:
    """Read every entry and check its digests; exit with 5 if one is damaged."""
    items = inventory(folder) if require_cache(folder) else []
    store = Store(folder, on_damage=_warn)
    damaged = 0
    for item in items:
        found = store.damage(item.kind, item.key)
        if found is None:
            continue
        damaged += 1
        click.echo(f"damaged: {item.folder}: {found.reason}")
        if remove:
            store.drop(item.kind, item.key)
    if not damaged:
        click.echo(f"{_counted(items)} in {folder}, every one sound")
        return
    raise StorageError(
        f"{damaged} of {_counted(items)} in {folder} {'was' if damaged == 1 else 'were'} damaged.",
        remedy="Removed: the next render computes what it needs again."
        if remove
        else "A render would compute them again; --remove removes them now.",
    )


@main.command("prune")
@_cache_option
@click.option(
    "--older-than",
    metavar="AGE",
    callback=_age,
    help="Remove what was unused so long, as in 30d.",
)
@click.option(
    "--larger-than",
    metavar="SIZE",
    callback=_size,
    help="Remove what was used least recently until the rest fits, as in 20G.",
)
@click.option(
    "--spare",
    metavar="AGE",
    callback=_age,
    help="Leave what was used within this time, whatever else is said; a farm's queue is shorter.",
)
@click.option("--all", "everything", is_flag=True, help="Remove every entry.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune_entries(
    *,
    folder: Path,
    older_than: timedelta | None,
    larger_than: int | None,
    spare: timedelta | None,
    everything: bool,
    dry_run: bool,
) -> None:
    """Make room: what killed processes left behind always goes, entries as the options say.

    Nothing that belongs to a shot being rendered now is removed.
    """
    if everything and (older_than is not None or larger_than is not None):
        raise UsageError(
            "--all was given together with --older-than or --larger-than.",
            remedy="Give --all alone to remove everything, or leave it out.",
        )
    if not require_cache(folder):
        click.echo(f"no entries in {folder}")
        return
    store = Store(folder, on_damage=_warn)
    limits = Limits(timedelta(0) if everything else older_than, larger_than, spare)
    choice = choose(store, limits)
    word = "would remove" if dry_run else "removed"

    def say(item: Item) -> None:
        click.echo(f"{word} {item.kind.word} {item.key[:SHORT]} {decimal(item.size)} {_shot(item)}")

    removed: Sequence[Item] = choice.go
    stuck: Sequence[Item] = ()
    if dry_run:
        for item in choice.go:
            say(item)
    else:
        removed, stuck = prune(store, choice, on_item=say)
    for path in choice.leftovers:
        click.echo(f"{word} {path}, left by a process that ended")
    if choice.busy:
        click.echo(f"kept {_counted(choice.busy)} of a shot that is being rendered")
    if choice.spared:
        click.echo(f"kept {_counted(choice.spared)} by --spare")
    click.echo(f"{word} {_counted(removed)}, {decimal(sum(item.size for item in removed))}")
    if stuck:
        raise StorageError(
            f"{_counted(stuck)} could not be removed, first {stuck[0].folder}.",
            remedy="Put the folder's permissions right, then run the same command again.",
        )


def _show(items: list[Item]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("key", "kind", "size", "used", "interval", "preset", "frames", "shot"):
        table.add_column(
            heading,
            no_wrap=heading != "shot",
            overflow="fold",
            justify="right" if heading in {"size", "used", "interval"} else "left",
        )
    now = datetime.now(UTC)
    for item in sorted(items, key=_reading_order):
        note = item.shot
        table.add_row(
            item.key[:SHORT],
            item.kind.word,
            decimal(item.size),
            _ago(now - item.used),
            "[{}, {})".format(*item.interval) if item.interval else "",
            note.preset if note else "",
            note.frames if note else "",
            _shot(item),
        )
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 240  # a pipe has no width; whole paths are worth more than a page's
    console.print(table)


def _reading_order(item: Item) -> tuple[str, str, int, str]:
    """By shot, fits before samples, noisiest interval first."""
    return (_shot(item), item.kind.value, -(item.interval or (0, 0))[0], item.key)


def _shot(item: Item) -> str:
    if item.record is None:
        return "(damaged record)"
    return item.shot.name if item.shot else ""


def _described(item: Item) -> dict[str, object]:
    note = item.shot
    return {
        "kind": item.kind.word,
        "key": item.key,
        "bytes": item.size,
        "created": (item.record or {}).get("created"),
        "used": item.used.isoformat(timespec="seconds"),
        "interval": item.interval,
        "preset": note.preset if note else None,
        "shot": note.name if note else None,
        "frames": note.frames if note else None,
        "size": note.size if note else None,
        "record_is_sound": item.record is not None,
    }


def _ago(age: timedelta) -> str:
    seconds = max(0.0, age.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def _counted(items: Sequence[Item]) -> str:
    return "1 entry" if len(items) == 1 else f"{len(items)} entries"


def _warn(message: str) -> None:
    click.echo(f"Warning: {message}", err=True)


if __name__ == "__main__":
    main()
