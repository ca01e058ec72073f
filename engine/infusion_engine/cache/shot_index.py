"""The shot index: notes of what cache entries belong to, for people; no result depends on it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from infusion_engine.cache.key import digest


@dataclass(frozen=True)
class ShotNote:
    """One render's note: which shot it was, and the entries it reads or writes."""

    clip: str
    """`ClipDigest` of the shot."""
    name: str
    """The plate's pattern, such as `/shows/abc/plate.%04d.exr`."""
    frames: str
    """Inclusive frame range, such as `1001-1048`."""
    size: tuple[int, int]
    """(width, height) of the worked region in pixels."""
    preset: str
    """Preset the settings began with."""
    keys: tuple[str, ...]
    """Keys of the fits and samples."""
    used: str
    """When it was last rendered, as an ISO time in UTC; in a note that was read, by the clock that
    stamps the cache's files."""


def write_note(folder: Path, note: ShotNote) -> None:
    """Write `note` into `folder`, over the same render's earlier note.

    A note never changes but for its time, so two processes cannot lose each other's.

    Raises:
        OSError: the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: value for name, value in asdict(note).items() if name != "used"}
    target = folder / f"{digest(content)}.json"
    temporary = folder / f".tmp-{secrets.token_hex(8)}"
    try:
        temporary.write_text(json.dumps(asdict(note), indent=2) + "\n", encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def read_notes(folder: Path) -> Iterator[tuple[Path, ShotNote]]:
    """Every readable note in `folder` with its file, oldest use first; others are passed over.

    When it was used is what the folder's own disk says: the machine that wrote it may have another
    clock.
    """
    found: list[tuple[Path, ShotNote]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            width, height = fields["size"]
            note = ShotNote(
                clip=str(fields["clip"]),
                name=str(fields["name"]),
                frames=str(fields["frames"]),
                size=(int(width), int(height)),
                preset=str(fields["preset"]),
                keys=tuple(str(key) for key in fields["keys"]),
                used=datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append((path, note))
    yield from sorted(found, key=lambda item: item[1].used)


def now() -> str:
    """The present as an ISO time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
