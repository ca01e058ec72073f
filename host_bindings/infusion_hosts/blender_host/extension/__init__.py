"""The extension as Blender enables it: puts its own `lib` first, and registers what lies there."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

LIB = str(Path(__file__).resolve().parent / "lib")
"""The node and this host, as they were copied beside this file."""

_PACKAGES = ("infusion_node", "infusion_hosts")
_REGISTRATION = "infusion_hosts.blender_host.registration"


def register() -> None:
    """Enable the node."""
    sys.path.insert(0, LIB)
    _forget_modules()
    import_module(_REGISTRATION).register()


def unregister() -> None:
    """Disable the node, so that another version of it can be enabled."""
    import_module(_REGISTRATION).unregister()
    _forget_modules()
    if LIB in sys.path:
        sys.path.remove(LIB)


def _forget_modules() -> None:
    """Have the next import read the files again: they may be another version's by then."""
    for name in list(sys.modules):
        if name.partition(".")[0] in _PACKAGES:
            del sys.modules[name]
