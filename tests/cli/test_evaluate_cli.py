"""`infusion-evaluate` prints figures for programs and for people, and refuses in plain words."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

SIZE = (30, 40)
ALWAYS = [
    "psnr_hole", "psnr_full", "psnr_8bit", "ssim_8bit", "ssim_hole", "swd3d", "detail", "motion",
    "outside",
]  # fmt: skip
OVER_TAKES = ["diversity", "diversity_hole", "calibration"]


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A folder with four frames of truth and matte, a result that is the truth, and two takes."""
    rng = np.random.default_rng(3)
    hole = np.zeros(SIZE, np.bool_)
    hole[8:20, 10:25] = True
    for name in ("truth", "matte", "result", "second", "third"):
        (tmp_path / name).mkdir()
    for frame in range(1, 5):
        truth = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        frames = {"truth": truth, "result": truth, "matte": np.uint8(255) * hole}
        for name in ("second", "third"):
            take = truth.copy()
            take[hole] = rng.integers(0, 256, (int(hole.sum()), 3), np.uint8)
            frames[name] = take
        for name, pixels in frames.items():
            Image.fromarray(pixels).save(tmp_path / name / f"f.{frame:03d}.png")
    return tmp_path


def infusion_evaluate(
    shot: Path, result: str, *options: object
) -> subprocess.CompletedProcess[str]:
    """Run the command with `--matte`."""
    return evaluated(shot / result, shot / "truth", "--matte", shot / "matte", *options)


def evaluated(*line: object) -> subprocess.CompletedProcess[str]:
    """Run the command as its own process."""
    command = [str(Path(sys.executable).parent / "infusion-evaluate"), *map(str, line)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_json_is_one_object_for_programs(shot: Path) -> None:
    """The names are those of the figures; what has no value is null, what was not asked for absent.

    The frames are lower than the window of 65, so that there is no `ssim_8bit`.
    """
    run = infusion_evaluate(shot, "result", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    found = json.loads(run.stdout)
    assert found.pop("ssim_hole") == pytest.approx(1.0)
    assert found == {
        "frames": 4, "hole_pixels": 720, "psnr_hole": 120.0, "psnr_full": 120.0, "detail": 1.0,
        "motion": 1.0, "outside": 0.0, "psnr_8bit": 120.0, "ssim_8bit": None, "swd3d": 0.0,
    }  # fmt: skip


def test_the_matte_may_be_the_third_argument(shot: Path) -> None:
    """The figures are those of `--matte`, wherever options stand; the take makes them say much."""
    named = infusion_evaluate(shot, "second", "--json")
    third = evaluated(shot / "second", "--json", shot / "truth", shot / "matte")
    assert (third.returncode, third.stderr) == (0, "")
    assert json.loads(third.stdout)["hole_pixels"] == 720
    assert json.loads(third.stdout) == json.loads(named.stdout)


def test_the_matte_given_twice_is_refused(shot: Path) -> None:
    """Even the same one: exit code 2, and both ways are named with what each was given."""
    run = infusion_evaluate(shot, "result", "third")
    assert run.returncode == 2
    assert run.stdout == ""
    for word in ("twice", "'third' as the third argument", f"'{shot / 'matte'}' with --matte"):
        assert word in run.stderr
    assert "Traceback" not in run.stderr


def test_without_a_matte_it_is_a_channel_of_the_truth(shot: Path) -> None:
    """Alpha of the truth is what was replaced where neither argument nor option names a matte."""
    for file in (shot / "truth").iterdir():
        with Image.open(file) as truth, Image.open(shot / "matte" / file.name) as matte:
            both = truth.convert("RGB")
            both.putalpha(matte.convert("L"))
        both.save(file)
    run = evaluated(shot / "result", shot / "truth", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["hole_pixels"] == 720


def test_help_shows_both_ways_to_give_the_matte() -> None:
    """The usage line has MATTE in brackets, and the option is still listed."""
    text = evaluated("--help").stdout
    assert text.splitlines()[0].endswith("[OPTIONS] RESULT TRUTH [MATTE]")
    assert "--matte PATH" in text


def test_people_get_a_line_a_figure_and_hear_what_was_left_out(shot: Path) -> None:
    """Each figure has a line with its value and its meaning; flags for the others are named."""
    run = infusion_evaluate(shot, "result")
    assert (run.returncode, run.stderr) == (0, "")
    first, heading, *lines, last = run.stdout.splitlines()
    assert first == "4 frames, 720 pixels of hole"
    assert heading.split() == ["figure", "value", "meaning"]
    assert [line.split()[0] for line in lines] == ALWAYS
    assert lines[0].split()[1:3] == ["120.00", "dB"]
    assert lines[3].split()[1] == "-"
    for flag in ("--weights", "--features", "--take"):
        assert flag in last


def test_takes_are_read_and_add_their_figures(shot: Path) -> None:
    """`--take` may be given again, and the first line says how many takes there are."""
    takes = ["--take", shot / "second", "--take", shot / "third"]
    run = infusion_evaluate(shot, "result", *takes)
    assert (run.returncode, run.stderr) == (0, "")
    first, _, *lines, last = run.stdout.splitlines()
    assert first == "4 frames, 720 pixels of hole, 3 takes"
    assert [line.split()[0] for line in lines] == ALWAYS + OVER_TAKES
    assert "--take" not in last
    found = json.loads(infusion_evaluate(shot, "result", *takes, "--json").stdout)
    assert found["takes"] == 3
    assert 0.0 < found["diversity"] < found["diversity_hole"]
    assert found["calibration"] > 0.0


def test_too_few_windows_are_said_on_stderr(shot: Path) -> None:
    """The figure is printed with a warning beside it that does not spoil the JSON."""

    class Pixels(torch.nn.Module):
        def forward(self, window: torch.Tensor) -> torch.Tensor:
            return window.flatten(1)[:, :10]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's, of TorchScript as a whole
        torch.jit.script(Pixels()).save(str(shot / "pixels.pt"))  # type: ignore[no-untyped-call]
    options = ["--features", shot / "pixels.pt", "--feature-frames", 2]
    run = infusion_evaluate(shot, "second", *options, "--json")
    assert run.returncode == 0
    assert "3 windows are too few for 10 features" in run.stderr
    assert json.loads(run.stdout)["fvd_windows"] == 3


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--weights", "nowhere"], 3, "nothing is downloaded"),
        (["--features", "nowhere.pt"], 3, "nothing is downloaded"),
        (["--take", "nowhere"], 3, "nowhere"),
        (["--feature-frames", "many"], 2, "many"),
    ],
)
def test_what_is_absent_is_refused_in_plain_words(
    shot: Path, options: list[str], code: int, complaint: str
) -> None:
    """No traceback: what was looked for, what to do, and the exit code."""
    run = infusion_evaluate(shot, "result", *options)
    assert run.returncode == code
    assert options[1] in run.stderr
    assert complaint in run.stderr
    assert "Traceback" not in run.stderr


def test_a_result_that_is_not_there_is_one_plain_message(shot: Path) -> None:
    """No traceback: what was looked for, and exit code 3."""
    run = infusion_evaluate(shot, "nowhere")
    assert run.returncode == 3
    assert "nowhere" in run.stderr
    assert "Traceback" not in run.stderr
