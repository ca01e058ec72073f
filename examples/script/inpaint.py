"""The node from plain Python: a plate and a matte in, frames with the new layer out."""

from __future__ import annotations

import sys

from infusion_hosts.script_host import FilesHost, run_to_end
from infusion_node.frame_range import FrameRange
from infusion_node.node import InfusionNode


def main() -> None:
    """Inpaint `PLATE MATTE FIRST-LAST FOLDER`, all given on the command line."""
    plate, matte, frames, folder = sys.argv[1:5]
    host = FilesHost(plate, FrameRange.parse(frames), folder, matte)
    status = run_to_end(
        InfusionNode(host),
        {"preset": "draft", "seed": 1},
        on_status=lambda status: print(status.line),
    )
    print(status.result if status.state == "done" else status.remedy)
    sys.exit(status.state != "done")


if __name__ == "__main__":
    main()
