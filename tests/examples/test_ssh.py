"""The loop over ssh: the bits of one whole render, and an end at the first error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infusion_engine.farm.bundle import write_bundle
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.template import Terms
from tests.farm.conftest import Shot, make_shot, shot

__all__ = ["make_shot", "shot"]  # fixtures

SSH = '#!/bin/sh\necho "$1" >> "{hosts}"\nexec sh -c "$2"\n'
"""Takes the place of ssh: every host is this machine."""


def loop(checkout: Path, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the script; `ssh` notes the host and does it here."""
    program = folder / "bin/ssh"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SSH.format(hosts=folder / "hosts"))
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), "/bin:/usr/bin"])
    return subprocess.run(
        ["bash", checkout / "examples/ssh/render.sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, "OCIO": ""},
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_machines_end_with_the_bits_of_one(
    checkout: Path, make_shot: Callable[..., Shot], tmp_path: Path
) -> None:
    """Both fit; more fits than there are do no harm; the frames are those of one process."""
    shot = make_shot(tmp_path, hole=3)  # one size: two fits
    write_bundle(shot.farm(takes=2), shot.folder / "farm", Terms(10, 300))
    job = shot.folder / "farm/job.json"
    run = loop(checkout, shot.folder, job, 3, "node1", "node2")
    assert run.returncode == 0, run.stdout + run.stderr
    hosts = (shot.folder / "hosts").read_text().split()
    assert (hosts.count("node1"), hosts.count("node2")) == (2 + 2 + 2 + 1, 1)
    whole = ["--output", shot.folder / "whole", "--cache", shot.folder / "own"]
    command = [Path(sys.executable).with_name("infusion-render"), "--job", job, *whole]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    found, expected = (
        {path.name: path.read_bytes() for path in (shot.folder / name).iterdir()}
        for name in ("out", "whole")
    )
    assert len(expected) == 5
    assert found == expected


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["job.json"],
        ["job.json", "3"],
        ["job.json", "none", "node1"],
        ["job.json", "0", "node1"],
    ],
    ids=" ".join,
)
def test_what_the_loop_cannot_do_is_refused(
    checkout: Path, shot: Shot, arguments: list[str]
) -> None:
    """No machine, or no number of fits: code 2 and how it is called, and nothing is asked."""
    write_bundle(shot.farm(), shot.folder / "farm", Terms(10, 300))
    words = [str(shot.folder / "farm" / word) if ".json" in word else word for word in arguments]
    run = loop(checkout, shot.folder, *words)
    assert (run.returncode, run.stdout) == (2, "")
    assert "usage: render.sh BUNDLE/job.json FITS HOST..." in run.stderr
    assert not (shot.folder / "hosts").exists()


def test_a_job_that_is_not_there_is_refused(checkout: Path, tmp_path: Path) -> None:
    """By name, before any machine is asked."""
    run = loop(checkout, tmp_path, tmp_path / "none.json", 3, "node1")
    assert run.returncode == 2
    assert "none.json" in run.stderr
    assert not (tmp_path / "hosts").exists()


def test_a_chain_is_fitted_in_its_order(checkout: Path, shot: Shot) -> None:
    """One machine makes all fits, one after the other: each goes on from the one before."""
    write_bundle(shot.farm(Fits.CHAIN), shot.folder / "farm", Terms(10, 300))
    engine = shot.folder / "bin/infusion-render"
    engine.parent.mkdir()
    engine.write_text(f'#!/bin/sh\nshift 4\necho "$@" >> "{shot.folder}/tasks"\n')
    engine.chmod(0o755)
    run = loop(checkout, shot.folder, shot.folder / "farm/job.json", 3, "node1", "node2")
    assert run.returncode == 0, run.stderr
    assert (shot.folder / "tasks").read_text().splitlines() == [
        *("--stage prepare", "--stage base"),
        *(f"--stage fit --interval {number}" for number in (1, 2, 3)),
        *("--stage sample --take 1", "--stage write"),
    ]
    assert set((shot.folder / "hosts").read_text().split()) == {"node1"}


def test_an_error_ends_the_loop_with_its_code(checkout: Path, shot: Shot) -> None:
    """A plate that is gone: 3, and no machine is asked for anything more."""
    write_bundle(shot.farm(), shot.folder / "farm", Terms(10, 300))
    (shot.folder / "plate").rename(shot.folder / "moved")
    run = loop(checkout, shot.folder, shot.folder / "farm/job.json", 3, "node1", "node2")
    assert run.returncode == 3
    assert "plate" in run.stderr
    assert (shot.folder / "hosts").read_text().split() == ["node1"]
