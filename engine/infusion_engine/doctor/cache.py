"""The cache: where it is, whether it takes files, what is in it, damage, and who is at work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infusion_engine.cache.inventory import Item, inventory, require_cache
from infusion_engine.cache.lock import is_held
from infusion_engine.cache.store import Store, is_key
from infusion_engine.doctor.amount import amount
from infusion_engine.doctor.findings import Finding, carried_out, ok, warning
from infusion_engine.doctor.folder import check_takes_files
from infusion_engine.errors import UsageError


def checks(folder: Path) -> Sequence[Finding]:
    """Of the cache in `folder`, which need not exist; nothing in it is changed."""
    return (
        carried_out("location", lambda: _location(folder)),
        carried_out("entries", lambda: _entries(folder)),
        carried_out("locks", lambda: _locks(folder)),
    )


def _location(folder: Path) -> Finding:
    check_takes_files(folder, what="cache folder")
    where = "can be written" if folder.exists() else "not there yet; a render makes it"
    return ok("location", f"{folder}, {where}")


def _entries(folder: Path) -> Finding:
    """Number and size, and those that a render would have to compute again."""
    try:
        ours = require_cache(folder)
    except UsageError as error:
        return warning(
            "entries",
            f"none: {error.message}",
            "Give the cache a folder of its own with --cache.",
        )
    if not ours:
        return ok("entries", "none yet")
    items = inventory(folder)
    said = f"{_counted(items)}, {amount(sum(item.size for item in items))}"
    damaged = [words for item in items if (words := _damage(folder, item))]
    if damaged:
        return warning(
            "entries",
            f"{said}, {len(damaged)} damaged: {'; '.join(damaged)}",
            "A render computes them again; `infusion-cache verify --remove` removes them now.",
        )
    return ok("entries", f"{said}, records and sizes sound")


def _damage(folder: Path, item: Item) -> str:
    """What is wrong with an entry by its record and its size; empty where these are sound.

    Reading every bit of a large cache takes minutes: that is what `infusion-cache verify` is for.

    Raises:
        StorageError: the entry cannot be read now.
    """
    tensors = item.folder / item.kind.tensor_file
    size = tensors.stat().st_size if tensors.is_file() else None
    if item.record is not None and size == item.record.get("bytes"):
        return ""
    store = Store(folder, on_damage=lambda _: None)  # nothing is passed over by only looking
    found = store.damage(item.kind, item.key)
    return "" if found is None else f"{item.folder}: {found.reason}"


def _locks(folder: Path) -> Finding:
    """Locks that a process holds; a file whose lock nobody holds means nothing.

    To ask for a lock opens its file, so somebody else's folder is not asked.
    """
    try:
        files = sorted((folder / "locks").glob("*.lock")) if require_cache(folder) else []
    except UsageError:
        files = []
    held = [path for path in files if is_key(path.stem) and is_held(path)]
    if not held:
        return ok("locks", "none held")
    return ok("locks", f"{len(held)} held: a render is at work in this cache")


def _counted(items: Sequence[Item]) -> str:
    return "1 entry" if len(items) == 1 else f"{len(items)} entries"
