"""Suite: the whole proof in one command, as far as the time goes, into one folder.

Throughput of the device; bfloat16 against float32; `standard` against the published method at its
budget for small textures (2000 steps an interval), in a tenth of its time and at full length; and a
shot of 60 frames of 432x240 with `standard`, timed and scored. What there is no time for is left
out, or shortened, and suite.json says so; a claim holds only where all of it was run. Trials are
cut from the clips, or else from a simulated fire, which is the shot as well. FOLDER is of one run:
what an earlier one told there is deleted. Run it as

    python -m benchmarks.suite FOLDER [CLIP ...] [--weights DIR] [--device cuda] [--minutes 9]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks import parity, race, shot, throughput
from benchmarks.claim import exit_code
from benchmarks.proof import Asked, Proof
from benchmarks.stamp import put, stamped
from infusion_engine.arithmetic import has_bfloat16
from infusion_engine.device import choose_device


def _measure_throughput(proof: Proof) -> dict[str, Any]:
    """What the device gives."""
    device = proof.asked.device
    scale = throughput.scale_for(device, tiny=proof.asked.tiny)
    return throughput.result(device, scale, profiled=device.type == "cuda")


def _compare_precisions(proof: Proof) -> dict[str, Any]:
    """The self-test, where there is anything to compare."""
    if not has_bfloat16(proof.asked.device):
        proof.allowance.leave_out("parity", "the device has no bfloat16 of its own")
        return {}
    return parity.parity(proof.asked.device, proof.extent.depth)


PARTS: Mapping[str, Callable[[Proof], dict[str, Any]]] = {
    "throughput": _measure_throughput,
    "parity": _compare_precisions,
    "race": race.race,
    "shot": shot.time_shot,
}
"""In the order in which they run, whatever the order in which they were asked for: the race keeps
time for the shot. Each returns its file as plain JSON, empty where nothing was rendered."""
PICTURES = (race.SCORES, race.LINEUP, shot.PICTURE)


def proved(proof: Proof) -> dict[str, Any]:
    """Run every part, write each one's file, and tell what came of all of them.

    A part that fails keeps no other from running: the time on a device is not had twice. One of
    which nothing was rendered is not among the parts that were run, but left out.
    """
    asked = proof.asked
    _clear(asked.folder)
    told: dict[str, Any] = {"parts": {}, "failed": {}, "left_out": proof.allowance.left_out}
    for name in (part for part in PARTS if part in asked.parts):
        before = proof.allowance.left
        if not proof.allowance.admits(name, 1.0):
            continue
        try:
            found = PARTS[name](proof)
            if found:
                put(stamped(found, device=_named(asked.device)), asked.folder / f"{name}.json")
                told["parts"][name] = {"seconds": round(before - proof.allowance.left, 1)}
                told["parts"][name] |= {"holds": found["holds"]} if "holds" in found else {}
                _keep(told, proof)
            for draw in proof.drawings:
                draw()
        except Exception as e:  # noqa: BLE001 - whatever it is, it is told, and the next part runs
            told["failed"][name] = f"{type(e).__name__}: {e}"
        proof.drawings.clear()
        if asked.device.type == "cuda":
            with contextlib.suppress(RuntimeError):  # a device that is lost has nothing to free
                torch.cuda.empty_cache()  # renders are processes of their own
        _keep(told, proof)
    return _keep(told, proof)


def _clear(folder: Path) -> None:
    """Delete what an earlier run told, so that nothing of it passes for this one's."""
    for name in ("suite.json", *(f"{part}.json" for part in PARTS), *PICTURES):
        (folder / name).unlink(missing_ok=True)


def _keep(told: dict[str, Any], proof: Proof) -> dict[str, Any]:
    """Write suite.json: after every part, so that what is known is there whatever happens."""
    asked = proof.asked
    result = stamped(
        {**told, "tiny": asked.tiny, "seconds_left": round(proof.allowance.left, 1)},
        device=_named(asked.device),
    )
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.folder / "suite.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


def _named(device: torch.device) -> str:
    """The device, and which GPU it is."""
    return (
        f"{device}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
    )


def main() -> None:
    """Prove, print, and end with 1 where a part failed or its claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="gets suite.json, a file for each part and PNGs")
    parser.add_argument("clips", type=Path, nargs="*", help="to cut trials from; default: a fire")
    parser.add_argument("--weights", type=Path, help="of the perceptual distance")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--minutes", type=float, default=9.0, help="what does not fit is left out")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="default: all")
    parser.add_argument("--tiny", action="store_true", help="a few steps of all, to try the path")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    asked = Asked(
        folder=arguments.folder,
        clips=arguments.clips,
        weights=arguments.weights,
        device=choose_device(arguments.device),
        threads=arguments.threads,
        minutes=arguments.minutes,
        parts=frozenset(arguments.only or PARTS),
        tiny=arguments.tiny,
    )
    with tempfile.TemporaryDirectory(prefix="infusion-suite-") as name:
        told = proved(Proof(asked, Path(name)))
    print(json.dumps(told, indent=2))
    sys.exit(exit_code(told))


if __name__ == "__main__":
    main()
