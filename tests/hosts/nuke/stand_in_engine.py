"""A stand-in for the engine: says who it is, reads its job, and tells a tale until it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from infusion_node.wire import events, handshake
from infusion_node.wire.job import SCHEMA_VERSION, RenderJob


def main(arguments: list[str]) -> int:
    """What the command does; `STAND_IN` says how: `finish` at once, or `wait` to be stopped."""
    if "--version" in arguments:
        answer = handshake.Handshake("0.1.0", SCHEMA_VERSION, "3.11", ("draft",))
        sys.stdout.write(handshake.to_line(answer) + "\n")
        return 0
    job = RenderJob.from_json(Path(arguments[arguments.index("--job") + 1]).read_text("utf-8"))
    log = Path(arguments[arguments.index("--events-file") + 1])

    def tell(event: events.Event) -> None:
        with log.open("a") as file:
            file.write(events.to_line(event, time=time.time()) + "\n")

    tell(events.Started("0.1.0", os.getpid(), "here"))
    name, takes = Path(job.plate).name, range(2, job.takes + 1)
    is_merged = job.write == "merged"
    further = [f"{job.output}/take{t}/{name}" if is_merged else f"{job.layer}{t}" for t in takes]
    output = {
        "files": f"{job.output}/{name}", "layer": job.layer,
        "further_takes": further, "write": job.write,
    }  # fmt: skip
    tell(events.Resolved({"plate": {"frames": job.frames}, "output": output}))
    while os.environ.get("STAND_IN") == "wait":
        tell(events.Preview(f"{job.report}/interval <1>.png"))
        tell(events.Progress("inpainting", 1, 4, 12.0, {"interval": 0.0, "intervals": 4.0}))
        if (log.parent / "cancel").exists():
            tell(events.Failed("cancelled", "Cancelled.", exit_code=130))
            return 130
        if (log.parent / "finish").exists():
            break
        time.sleep(0.05)
    tell(events.Finished(5, 1.0, 0, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
