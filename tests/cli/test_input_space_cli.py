"""`--input-space` as a person meets it: shown by a dry run, refused at once and in plain words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

PINNED = "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3"
CODE = (
    "import sys, atexit\n"
    "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
    "from infusion_engine.cli.render import main\n"
    "main(sys.argv[1:], prog_name='infusion-render')"
)


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two frames in `plate` and a matte in `matte`."""
    for frame in (1, 2):
        for name, mode in (("plate", "RGB"), ("matte", "L")):
            (tmp_path / name).mkdir(exist_ok=True)
            picture = Image.new(mode, (32, 24))
            ImageDraw.Draw(picture).rectangle((8, 8, 14, 14), fill="white")
            picture.save(tmp_path / f"{name}/{name}.{frame}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OCIO", raising=False)
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A dry run in a process of its own, which at its end says whether it loaded torch."""
    shot = ("plate", "--matte", "matte", "--output", "out", "--no-cache", *arguments)
    return subprocess.run(
        [sys.executable, "-c", CODE, *shot],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=100,  # seconds: nothing here renders
        check=False,
    )


@pytest.mark.usefixtures("shot")
def test_a_dry_run_tells_space_and_config() -> None:
    """As the config spells them, whatever was typed; nothing where nothing was asked for."""
    shown = [
        " ".join(line.split())
        for line in run("--dry-run", "--input-space", "srgb_tx").stdout.splitlines()
    ]
    assert "input_space sRGB - Texture" in shown
    assert "works_in ACEScg" in shown
    assert f"colour_config {PINNED} (pinned, $OCIO is not set)" in shown

    without = [" ".join(line.split()) for line in run("--dry-run").stdout.splitlines()]
    assert {"input_space -", "works_in -", "colour_config -"} <= set(without)


def test_a_dry_run_tells_whose_config(shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`$OCIO` is respected, and named."""
    monkeypatch.setenv("OCIO", "ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3")
    done = run("--dry-run", "--events", "json", "--input-space", "texture_paint")
    (plan,) = [e["plan"] for e in map(json.loads, done.stdout.splitlines()) if "plan" in e]
    assert plan["plate"]["input_space"] == "sRGB - Texture"
    assert plan["plate"]["colour_config"] == ("ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3 ($OCIO)")


@pytest.mark.parametrize("rehearsal", [("--dry-run",), ()])
def test_an_unknown_name_is_refused_at_once(shot: Path, rehearsal: tuple[str, ...]) -> None:
    """Exit 2 with one message, torch never loaded, nothing written."""
    begun = time.monotonic()
    done = run("--input-space", "ACESct", *rehearsal)

    assert time.monotonic() - begun < 60  # seconds; one or two on a machine with nothing else to do
    assert done.returncode == 2
    assert "'ACEScct'" in done.stderr
    assert "52 colour spaces" in done.stderr
    assert PINNED in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == "False", "torch was loaded"
    assert not (shot / "out").exists()


def test_a_config_that_cannot_be_read_is_refused(
    shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, and only where a colour space is asked for: otherwise nobody needs the config."""
    (shot / "broken.ocio").write_text("nonsense: [")
    for path in ("nowhere.ocio", "broken.ocio"):
        monkeypatch.setenv("OCIO", str(shot / path))
        done = run("--dry-run", "--input-space", "ACEScct")
        assert done.returncode == 2
        assert f"$OCIO is '{shot / path}'" in done.stderr
        assert "unset it" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1] == "False", "torch was loaded"
        assert run("--dry-run").returncode == 0


@pytest.mark.usefixtures("shot")
def test_a_data_space_is_told() -> None:
    """Nothing is converted, and a warning says so."""
    done = run("--dry-run", "--events", "json", "--input-space", "raw")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert ["'Raw' holds data" in e["message"] for e in told if e["event"] == "warning"] == [True]
