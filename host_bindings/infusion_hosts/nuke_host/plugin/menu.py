"""Nuke runs this when its GUI starts: puts the node into the Nodes menu."""

import sys

try:
    import nuke

    from infusion_hosts.nuke_host import sessions as _infusion_sessions

    nuke.menu("Nodes").addMenu("Infusion", icon="infusion_inpaint.png").addCommand(
        "Infusion Inpaint", _infusion_sessions.create, icon="infusion_inpaint.png"
    )
except Exception as error:  # noqa: BLE001 - Nuke has to start whatever is wrong here
    sys.stderr.write(f"Infusion Inpaint has no menu: {type(error).__name__}: {error}\n")
