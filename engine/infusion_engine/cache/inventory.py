"""The inventory: every entry of a cache, its size, its age and what it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infusion_engine.cache.entry import RECORD_FILE, Damage, Kind, read_record
from infusion_engine.cache.shot_index import ShotNote, read_notes
from infusion_engine.cache.store import TAG, TAG_FILE, is_key
from infusion_engine.errors import UsageError


@dataclass(frozen=True)
class Item:
    """One entry as it lies on disk; its tensors are not read."""

    kind: Kind
    """What it holds."""
    key: str
    """64 hexadecimal digits."""
    folder: Path
    """Where it lies."""
    size: int
    """Bytes of its files."""
    used: datetime
    """When it was last saved, loaded, or part of a render; in UTC."""
    record: Mapping[str, object] | None
    """Its record, or None when that is damaged."""
    clip: str | None
    """`ClipDigest` of the shot, where the record or the index tells it."""
    interval: tuple[int, int] | None
    """Half-open timesteps [low, high), where the record or that of its fit tells them."""
    shot: ShotNote | None
    """The latest note in the index that names it."""


def require_cache(folder: Path) -> bool:
    """True when `folder` is a cache of ours, False when nothing is there.

    Raises:
        UsageError: something else is there, which must not be touched.
    """
    try:
        ours = (folder / TAG_FILE).read_text(encoding="utf-8", errors="replace") == TAG
        empty = False
    except FileNotFoundError:
        ours = False
        empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    except OSError:
        ours = empty = False
    if not ours and not empty:
        raise UsageError(
            f"{folder} is not a cache of Infusion Inpaint: its own {TAG_FILE} was expected in it.",
            remedy="Name the folder that was given to infusion-render as --cache.",
        )
    return ours


def inventory(folder: Path) -> list[Item]:
    """Every entry in the cache `folder`, the least recently used first."""
    notes = {key: note for _, note in read_notes(folder / "shots") for key in note.keys}
    records: dict[tuple[Kind, str], Mapping[str, object] | None] = {}
    stats: dict[tuple[Kind, str], tuple[Path, int, float]] = {}
    for kind in Kind:
        for path in sorted((folder / kind.value).glob("*")):
            if not is_key(path.name):
                continue
            found = _measured(path)
            record = _record(path, kind)
            if found is not None:
                stats[kind, path.name] = (path, *found)
                records[kind, path.name] = record
    items = []
    for (kind, key), (path, size, seconds) in stats.items():
        record = records[kind, key]
        fit = record  # or a budget's, which tells the clip as well
        if kind is Kind.SAMPLE:
            fit = records.get((Kind.FIT, _text(record, "fit") or ""))
        note = notes.get(key)
        used = datetime.fromtimestamp(seconds, UTC)
        if note is not None:
            used = max(used, datetime.fromisoformat(note.used))
        clip = _text(fit, "clip") or (note.clip if note else None)
        items.append(Item(kind, key, path, size, used, record, clip, _interval(fit), note))
    return sorted(items, key=lambda item: (item.used, item.key))


def _measured(path: Path) -> tuple[int, float] | None:
    """(bytes, time of last use) of an entry; None when it went meanwhile."""
    try:
        if not path.is_dir():
            return path.stat().st_size, path.stat().st_mtime
        record = path / RECORD_FILE
        seconds = (record if record.exists() else path).stat().st_mtime
        return sum(file.stat().st_size for file in path.iterdir()), seconds
    except FileNotFoundError:
        return None


def _record(path: Path, kind: Kind) -> Mapping[str, object] | None:
    try:
        record = read_record(path, kind, path.name)
    except OSError:
        return None
    return None if isinstance(record, Damage) else record


def _identity(record: Mapping[str, object] | None) -> Mapping[str, object]:
    found = (record or {}).get("identity")
    return found if isinstance(found, Mapping) else {}


def _text(record: Mapping[str, object] | None, name: str) -> str | None:
    found = _identity(record).get(name)
    return found if isinstance(found, str) else None


def _interval(record: Mapping[str, object] | None) -> tuple[int, int] | None:
    found = _identity(record).get("interval")
    if not isinstance(found, list) or [type(end) for end in found] != [int, int]:
        return None
    return found[0], found[1]
