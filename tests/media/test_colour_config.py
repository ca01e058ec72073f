"""The OpenColorIO config: the pinned one or `$OCIO`'s, and what makes it another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infusion_engine.errors import UsageError
from infusion_engine.media.colour_config import PINNED, Origin, open_config

CONFIG = """ocio_profile_version: 2
environment: {SHOW: none}
search_path: luts:other
roles: {default: raw, scene_linear: light}
file_rules:
  - !<Rule> {name: Default, colorspace: default}
displays:
  screen:
    - !<View> {name: Raw, colorspace: raw}
colorspaces:
  - !<ColorSpace> {name: raw, isdata: true}
  - !<ColorSpace> {name: light, aliases: [lit]}
  - !<ColorSpace>
    name: tabled
    to_scene_reference: !<FileTransform> {src: curve.spi1d, interpolation: linear}
  - !<ColorSpace>
    name: graded
    to_scene_reference: !<FileTransform>
      src: "$SHOW/grade.spi1d"
"""
TABLE = "Version 1\nFrom 0.0 1.0\nLength 2\nComponents 1\n{\n0.0\n%s\n}\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config above with its tables, as `$OCIO`."""
    folder = tmp_path / "colour"
    for name in ("other/curve.spi1d", "luts/one/grade.spi1d", "luts/two/grade.spi1d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(TABLE % "1.0")
    (folder / "show.ocio").write_text(CONFIG)
    monkeypatch.setenv("OCIO", str(folder / "show.ocio"))
    monkeypatch.delenv("SHOW", raising=False)
    return folder / "show.ocio"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_one_config_is_pinned(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """By its whole name, never `ocio://default`; an empty variable is none."""
    monkeypatch.delenv("OCIO", raising=False)
    if value is not None:
        monkeypatch.setenv("OCIO", value)
    found = open_config()
    assert (found.source, found.origin) == (PINNED, Origin.PINNED)
    assert found.identity() == PINNED
    assert {"ACEScg", "sRGB - Texture", "ARRI LogC4"} <= set(found.spaces)
    assert "default" not in PINNED


def test_the_variable_is_respected(config: Path) -> None:
    """Its colour spaces, roles and aliases, and no others; and it is said whose they are."""
    found = open_config()
    assert found.named() == f"{config} ($OCIO)"
    assert found.spaces == ("raw", "light", "tabled", "graded")
    assert found.names["scene_linear"] == found.names["lit"] == "light"
    assert found.no_colour == {"raw"}


def test_a_built_in_config_may_be_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same config is the same to a key, whoever chose it; one that moves names its release."""
    monkeypatch.setenv("OCIO", PINNED)
    assert open_config().origin is Origin.ENVIRONMENT
    assert open_config().identity() == PINNED
    monkeypatch.setenv("OCIO", "ocio://default")
    assert open_config().identity() not in ("ocio://default", PINNED)


def test_moving_a_config_makes_it_no_other(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content counts and not its place, nor what else lies beside it."""
    before = open_config().identity()
    shutil.copytree(config.parent, tmp_path / "elsewhere")
    (tmp_path / "elsewhere/luts/unused.spi1d").write_text("whatever")
    monkeypatch.setenv("OCIO", str(tmp_path / "elsewhere/show.ocio"))
    monkeypatch.setenv("UNRELATED", "x")
    assert open_config().identity() == before


@pytest.mark.parametrize("what", ["text", "table", "variable", "variable's table"])
def test_any_change_makes_it_another(
    config: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The text, a table that it names, a variable that it reads, the table that this leads to."""
    if what == "variable's table":
        monkeypatch.setenv("SHOW", "one")
    before = open_config().identity()
    if what == "text":
        config.write_text(CONFIG + "  - !<ColorSpace> {name: more}\n")
    elif what == "table":
        (config.parent / "other/curve.spi1d").write_text(TABLE % "2.0")
    elif what == "variable":
        monkeypatch.setenv("SHOW", "three")  # no table lies there: it may stand for a cccid too
    else:
        (config.parent / "luts/two/grade.spi1d").write_text(TABLE % "3.0")
        assert open_config().identity() == before  # another show's
        (config.parent / "luts/one/grade.spi1d").write_text(TABLE % "2.0")
    assert open_config().identity() != before


@pytest.mark.parametrize("content", [None, b"", b"nonsense: [", b"\xff\xfe\x00\x81"])
def test_a_config_that_cannot_be_read_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    content: bytes | None,
) -> None:
    """The variable, its value, and what to do; nothing is printed beside."""
    path = tmp_path / "broken.ocio"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("OCIO", str(path))
    with pytest.raises(UsageError, match=r"\$OCIO is '.*broken.ocio'") as caught:
        open_config()
    assert "unset it" in caught.value.remedy
    assert capfd.readouterr() == ("", "")
