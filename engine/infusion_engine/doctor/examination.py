"""The examination: every section of the page, in its order, each as soon as it is known.

Each room is imported when its section is looked at: torch takes seconds, and what cannot be
imported is what the page is there to tell.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from infusion_engine.doctor.findings import Finding, Section, section


def examine(*, cache: Path | None, device: str) -> Iterator[Section]:
    """Look at everything; nothing is raised, and nothing that lies there is changed.

    `cache` and `device` are what `infusion-render` would be given; None is the user's own folder.
    """
    looks: tuple[tuple[str, Callable[[], Sequence[Finding]]], ...] = (
        ("Versions", _versions),
        ("Device", lambda: _device(device)),
        ("Arithmetic", lambda: _arithmetic(device)),
        ("Engine", _engine),
        ("Codecs", _codecs),
        ("Cache", lambda: _cache(_folder(cache))),
        ("Disk", lambda: _disk(_folder(cache))),
        ("Hosts", _hosts),
    )
    for name, look in looks:
        yield section(name, look)


def _versions() -> Sequence[Finding]:
    from infusion_engine.doctor.versions import checks  # noqa: PLC0415

    return checks()


def _device(device: str) -> Sequence[Finding]:
    from infusion_engine.doctor.device import checks  # noqa: PLC0415

    return checks(device)


def _arithmetic(device: str) -> Sequence[Finding]:
    from infusion_engine.doctor.parity import checks  # noqa: PLC0415

    return checks(device)


def _engine() -> Sequence[Finding]:
    from infusion_engine.doctor.handshake import checks  # noqa: PLC0415

    return checks(Path(sys.executable).parent, os.environ.get("PATH", os.defpath))


def _codecs() -> Sequence[Finding]:
    from infusion_engine.doctor.codecs import checks  # noqa: PLC0415

    return checks()


def _cache(folder: Path) -> Sequence[Finding]:
    from infusion_engine.doctor.cache import checks  # noqa: PLC0415

    return checks(folder)


def _disk(folder: Path) -> Sequence[Finding]:
    from infusion_engine.doctor.disk import checks  # noqa: PLC0415

    return checks(folder, Path(tempfile.gettempdir()))


def _hosts() -> Sequence[Finding]:
    from infusion_engine.doctor.hosts import checks  # noqa: PLC0415

    return checks(os.environ, Path.home(), sys.platform)


def _folder(cache: Path | None) -> Path:
    """The cache folder as a render resolves it."""
    from infusion_engine.cache.store import default_folder  # noqa: PLC0415

    return default_folder() if cache is None else cache.expanduser().absolute()
