"""Versions of this package, of Python, and of the libraries that a render stands on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from functools import partial
from importlib import metadata

from infusion_engine import __version__
from infusion_engine.doctor.findings import Finding, carried_out, failed, ok

LIBRARIES = ("torch", "numpy", "OpenImageIO", "OpenEXR")
"""Distributions, as pip calls them."""


def checks() -> Sequence[Finding]:
    """One finding for each version; a library that is not installed failed."""
    return (
        ok("Infusion Inpaint", __version__),
        ok("Python", f"{platform.python_version()} ({sys.executable})"),
        *(carried_out(name, partial(library, name)) for name in LIBRARIES),
        carried_out("OpenColorIO", _opencolorio),
        ok("platform", platform.platform()),
    )


def library(name: str) -> Finding:
    """The version of an installed distribution; it is not imported."""
    try:
        return ok(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return failed(
            name, "not installed", "Install the engine again, in an environment of its own."
        )


def _opencolorio() -> Finding:
    """The one that OpenImageIO brings along, which alone can tell."""
    from infusion_engine.media.colour_config import library_version  # noqa: PLC0415 - may not load

    return ok("OpenColorIO", f"{library_version()}, in OpenImageIO")
