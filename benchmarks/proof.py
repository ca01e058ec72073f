"""Proof: one run of the suite, with the time that is left and what several parts share."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.allowance import Allowance
from benchmarks.attempt import Attempt, Contender, attempt
from benchmarks.extent import TINY, WHOLE
from benchmarks.fire import as_pictures, make_fire
from benchmarks.pace import Pace, paced
from benchmarks.trial import FRAMES, Trial, make_trial


@dataclass(frozen=True)
class Asked:
    """What the suite was asked for."""

    folder: Path
    """Gets a file for each part, suite.json and pictures."""
    clips: Sequence[Path]
    """To cut trials from; where there are none, a fire."""
    weights: Path | None
    """Of the perceptual distance, which is left out without them."""
    device: torch.device
    threads: int
    """CPU threads of a render."""
    minutes: float
    """What does not fit into them is left out."""
    parts: frozenset[str]
    """Those to run."""
    tiny: bool
    """A few steps of all, to try the path."""


class Proof:
    """One run; its time runs down from the moment this is made."""

    def __init__(self, asked: Asked, scratch: Path) -> None:
        self.asked = asked
        self.scratch = scratch
        """Folder for what nobody asks for once the run is over."""
        self.extent = TINY if asked.tiny else WHOLE
        self.allowance = Allowance(asked.minutes * 60.0)
        self.paces: dict[str, Pace] = {}
        """Of the presets that were tried, by name."""
        self.drawings: list[Callable[[], None]] = []
        """What a part draws once its file is written."""
        self._fire: Trial | None = None

    @property
    def frames(self) -> int:
        """Frames of a trial that is cut from the fire."""
        return min(FRAMES, self.extent.shot[0])

    def fire(self) -> Trial:
        """The simulated shot, made when it is first asked for.

        Raises:
            subprocess.CalledProcessError: its generator failed.
        """
        if self._fire is None:
            frames, height, width = self.extent.shot
            self._fire = make_fire(self.scratch / "fire", frames=frames, width=width, height=height)
        return self._fire

    def trials(self) -> list[Trial]:
        """Of the clips, or of the fire.

        Raises:
            subprocess.CalledProcessError: the fire's generator failed.
        """
        clips = self.asked.clips or [
            as_pictures(self.fire().truth, self.scratch / "pictures" / "fire")
        ]
        return [make_trial(clip, self.scratch / "trials" / clip.name) for clip in clips]

    def pace(self, preset: str) -> Pace:
        """How fast a preset goes on a trial, tried once."""
        if preset not in self.paces:
            settings = self.extent.terms.settings(preset)
            self.paces[preset] = paced(settings, self.frames, device=self.asked.device)
        return self.paces[preset]

    def tried(self, trial: Trial, contender: Contender, keep: Path, limit: float) -> Attempt | None:
        """One attempt; None, and a note, if it has to be ended at its limit of seconds.

        Args:
            trial: what to fill.
            contender: how.
            keep: folder for its frames and contact sheet; what is there already is deleted.
            limit: seconds after which the render is ended.

        Raises:
            RuntimeError: a command failed; its last lines are told.
        """
        shutil.rmtree(keep, ignore_errors=True)  # an earlier run's frames are not this one's
        try:
            done = attempt(
                trial,
                contender,
                weights=self.asked.weights,
                threads=self.asked.threads,
                keep=keep,
                device=str(self.asked.device),
                limit=limit,
            )
        except subprocess.TimeoutExpired:
            why = f"it was ended after the {limit:.0f} s that were free for it"
            self.allowance.leave_out(f"{trial.name}: {contender.name}", why)
            return None
        print(json.dumps(done.described), flush=True)
        return done
