"""Nuke runs this at every start, with and without its GUI: makes the node known to it."""

import sys

try:
    from pathlib import Path as _Path

    import nuke

    _infusion = _Path(__file__).absolute().parent
    if str(_infusion / "lib") not in sys.path:
        sys.path.append(str(_infusion / "lib"))
    nuke.pluginAddPath(str(_infusion / "icons"))
    from infusion_hosts.nuke_host import sessions as _infusion_sessions

    _infusion_sessions.register()
except Exception as error:  # noqa: BLE001 - Nuke has to start whatever is wrong here
    sys.stderr.write(f"Infusion Inpaint is not available: {type(error).__name__}: {error}\n")
