"""Shot: a whole shot of the suite with `standard`, timed and scored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks import length
from benchmarks.attempt import Contender
from benchmarks.duel import SHARES
from benchmarks.extent import WHOLE
from benchmarks.proof import Proof

PICTURE = "shot.png"


def time_shot(proof: Proof) -> dict[str, Any]:
    """Its time and figures as plain JSON, at the steps that there is time for; nothing if none is.

    Raises:
        RuntimeError: a command failed; its last lines are told.
        subprocess.CalledProcessError: the fire's generator failed.
    """
    fire, terms = proof.fire(), proof.extent.terms
    settings, pace = terms.settings("standard"), proof.pace("standard")
    levels = length.sizes(fire.matte, settings)

    def needed(share: float) -> float:
        return length.shot_seconds(
            length.shortened(settings, share),
            pace,
            levels=levels,
            shot=proof.extent.shot,
            paced_frames=proof.frames,
        )

    share = proof.allowance.largest("shot: standard", SHARES, needed)
    if share is None:
        return {}
    own = length.shortened(settings, share)
    steps = {k: str(getattr(own, k)) for k in ("steps_per_interval", "detail_steps_per_interval")}
    keep = proof.scratch / "shot"
    contender = Contender("standard", "standard", {**terms.standard, **steps})
    done = proof.tried(fire, contender, keep, proof.allowance.left)
    if done is None:
        return {}
    proof.drawings.append(lambda: _copy(keep / "contact.png", proof.asked.folder / PICTURE))
    whole = WHOLE.terms.settings("standard")
    return {
        "claim": f"A shot of this length takes {length.MINUTES} minutes at most.",
        "shot": " x ".join(map(str, proof.extent.shot)),
        "sizes": levels,
        "expected_seconds": round(needed(share), 1),
        **done.described,
        **length.shot_verdict(done.seconds, own, whole, levels),
        "seconds_per_frame": round(done.seconds / fire.frames, 2),
    }


def _copy(source: Path, file: Path) -> None:
    """As a part's picture, its folder made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, file)
