"""What a panel shows after each event."""

from __future__ import annotations

from typing import Any, cast

import pytest

from infusion_engine.errors import InfusionError
from infusion_node import status as status_module
from infusion_node.frame_range import FrameRange
from infusion_node.status import State, Status, after, ended_silently, spoken
from infusion_node.wire.events import (
    Event,
    Failed,
    Finished,
    Frame,
    Heartbeat,
    Interval,
    Preview,
    Progress,
    Resolved,
    Started,
    Waiting,
    Warned,
)

RUNNING = Status(State.RUNNING, "Starting the engine.")


def told(*events: Event) -> Status:
    """A running node's status after some events."""
    status = RUNNING
    for event in events:
        status = after(status, event)
    return status


def from_json(figures: Any) -> dict[str, float]:
    """Figures as a line may hold them, whatever their type says: JSON has `null` for NaN."""
    return cast("dict[str, float]", figures)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Started("0.1.0", 7, "here"), "The engine looks at the job."),
        (Waiting("the GPU"), "Waiting for the GPU."),
        (Progress("loading", 0, 0), "Starting the engine."),
        (Progress("looking", 3, 12), "Looking at the frames, 3 of 12."),
        (Progress("measuring", 0, 0), "Trying this machine's speed."),
        (
            Progress("inpainting", 30, 300, 350.0, {"interval": 2.0, "intervals": 8.0}),
            "Inpainting, interval 3 of 8, about 6 min left.",
        ),
        (
            Progress("inpainting", 1, 2, None, {"take": 2.0, "takes": 4.0}),
            "Inpainting, take 2 of 4.",
        ),
        (
            Progress("inpainting", 1, 2, None, from_json({"take": None, "takes": 4.0})),
            "Inpainting.",
        ),
        (Progress("inpainting", 1, 2, None, from_json({"takes": 4.0})), "Inpainting."),
        (
            Progress("inpainting", 1, 2, None, from_json({"interval": 1.0, "intervals": None})),
            "Inpainting.",
        ),
        (Progress("inpainting", 1, 2, None, from_json(None)), "Inpainting."),
        (Progress("writing", 5, 48, 1.0), "Writing, 5 of 48."),
        (Progress("polishing", 1, 4), "Polishing, 1 of 4."),
    ],
)
def test_the_line_says_what_is_going_on(event: Event, line: str) -> None:
    """One sentence for each event, also for a phase that only a newer engine knows."""
    assert told(event).line == line


def test_the_bar_never_goes_back() -> None:
    """Not from phase to phase, and not when a phase is told anew for a further take."""
    fractions = [
        told(*events).fraction
        for events in (
            [Started("0", 1, "m")],
            [Started("0", 1, "m"), Progress("looking", 12, 12)],
            [Progress("looking", 12, 12), Progress("inpainting", 90, 100)],
            [Progress("inpainting", 90, 100), Progress("inpainting", 0, 100)],
            [Progress("inpainting", 90, 100), Progress("writing", 1, 2)],
            [Progress("writing", 1, 2), Finished(2, 1.0, 0, 2)],
        )
    ]
    known = [fraction for fraction in fractions if fraction is not None]
    assert known == sorted(known)
    assert (known[0], known[-1]) == (0.0, 1.0)


def test_the_time_left_is_that_until_the_fill_is_there() -> None:
    """Reading has an end of its own, which tells nobody anything."""
    assert told(Progress("reading", 1, 2, 3.0)).eta_seconds is None
    assert told(Progress("inpainting", 1, 2, 90.0)).eta_seconds == 90.0
    assert told(Progress("inpainting", 1, 2, 90.0), Waiting("the GPU")).eta_seconds is None


@pytest.mark.parametrize(
    ("output", "layers"),
    [
        ({"layer": "fire", "write": "layer", "further_takes": ["fire2"]}, ("fire", "fire2")),
        ({"layer": "fire", "write": "fill", "further_takes": []}, ("fire",)),
        ({"layer": "fire", "write": "merged", "further_takes": ["take2/x"]}, ()),
    ],
)
def test_the_result_is_known_once_the_job_is_resolved(
    output: dict[str, object], layers: tuple[str, ...]
) -> None:
    """Where the frames go, and which layers they hold: merged frames hold none."""
    plan = {"output": {"files": "out/fire.%04d.exr", **output}, "plate": {"frames": "1001-1048"}}
    status = told(Resolved(plan))
    assert (status.result, status.layers) == ("out/fire.%04d.exr", layers)
    assert status.frames == FrameRange(1001, 1048)


def test_a_plan_of_another_release_is_no_trouble() -> None:
    """A plan without what we look for leaves the result unknown."""
    status = told(Resolved({"output": 3, "plate": {"frames": "all"}}))
    assert (status.result, status.frames) == (None, None)


def test_warnings_and_previews_and_frames_are_kept() -> None:
    """Warnings add up, the newest preview is shown, frames are counted."""
    status = told(
        Warned("Slow disk.", "Use another."), Warned("Odd."), Preview("a.png"), Preview("b.png"),
        Frame(1001, "x"), Frame(1002, "y"),
    )  # fmt: skip
    assert status.warnings == ("Slow disk. Use another.", "Odd.")
    assert (status.preview, status.written) == ("b.png", (FrameRange(1001, 1002),))


def test_the_end_is_told_in_its_own_words() -> None:
    """Done with its time, failed with what the engine said, cancelled as no failure at all."""
    assert told(Finished(48, 372.0, 1, 7)).line == "Done: 48 frames in 6 min."
    assert told(Finished(1, 3.2, 1, 7)).line == "Done: 1 frame in 3 s."
    failed = told(Failed("device", "Out of memory.", "Lower it.", 4))
    assert (failed.state, failed.line, failed.remedy) == (
        State.FAILED, "Out of memory.", "Lower it.",
    )  # fmt: skip
    assert told(Failed("cancelled", "x", "y", 130)).state is State.CANCELLED


def test_signs_of_life_change_nothing() -> None:
    """Heartbeats and fits are not for the panel."""
    assert told(Heartbeat(3.0, "inpainting"), Interval(0, 8, "hit")) == RUNNING


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3540, "59 min"), (3600, "1 h 00 min"),
     (7500, "2 h 05 min")],
)  # fmt: skip
def test_times_are_spoken(seconds: float, words: str) -> None:
    """Seconds, then minutes, then hours."""
    assert spoken(seconds) == words


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [
        (2, "with code 2 (it refused the job, or a fit diverged)", "Look at the knobs"),
        (3, "with code 3 (a frame or the matte cannot be used)", "Look at the inputs"),
        (4, "with code 4 (the device was lost, or had no memory left)", "Lower Memory"),
        (5, "with code 5 (a disk is full, or cannot be read or written)", "Make room"),
        (7, "with code 7", "Press Inpaint to go on"),
        (-9, "by signal 9", "Press Inpaint to go on"),
    ],
)
def test_an_exit_code_is_told_in_words(code: int, words: str, remedy: str) -> None:
    """Where no last event arrived, as on a full disk, the code is all that there is."""
    state, line, what_to_do = ended_silently(code)
    assert (state, line) == (State.FAILED, f"The engine ended {words} without a last word.")
    assert what_to_do.startswith(remedy)


def test_the_exit_codes_of_the_engine_are_known() -> None:
    """Each deliberate error of the engine has words here; what was cancelled is no failure."""
    codes = {kind.exit_code for kind in _below(InfusionError)} - {InfusionError.exit_code}
    assert codes == {*status_module._CODES, 130}
    assert ended_silently(130)[0] is State.CANCELLED
    assert ended_silently(None)[1] == "The engine ended without a last word."


def _below(kind: type[InfusionError]) -> set[type[InfusionError]]:
    """Every error of the engine."""
    return {kind}.union(*(_below(child) for child in kind.__subclasses__()))
