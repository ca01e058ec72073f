"""The page about Nuke is so: its commands, its files, its buttons, its messages and its picture."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from infusion_hosts.nuke_host import buttons, panel, sessions
from infusion_hosts.nuke_host.install import install
from infusion_node.engine import find_engine
from tests.hosts.nuke import draw_icon, draw_panel
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke


@pytest.fixture(scope="module")
def page(checkout: Path) -> str:
    """The page's text."""
    return (checkout / "docs/hosts/nuke.md").read_text("utf-8")


def test_the_installed_files_are_where_the_page_says(page: str, tmp_path: Path) -> None:
    """Every path below ~/.nuke/infusion that the page names is there after its install command."""
    assert "infusion-install nuke ~/.nuke/infusion\n" in page
    assert "export NUKE_PATH=~/.nuke/infusion\n" in page
    install(tmp_path / ".nuke/infusion")
    named = set(re.findall(r"~/(\.nuke/infusion/[\w./-]+)", page))
    assert len(named) >= 8
    assert [name for name in named if not (tmp_path / name).is_file()] == []


def test_the_commands_for_windows_fit_together(page: str, tmp_path: Path) -> None:
    """One environment is made, used and named; the engine is found in its Scripts."""
    (block,) = re.findall(r"```\n(py -3.*?)```", page, re.DOTALL)
    commands = dict(
        zip(("venv", "pip", "install", "path", "engine"), block.splitlines(), strict=True)
    )
    home = "%USERPROFILE%\\"
    assert commands["venv"] == f"py -3.11 -m venv {home}infusion"
    scripts = f"{home}infusion\\Scripts\\"
    assert commands["pip"] == f"{scripts}pip.exe install -c constraints.txt ."
    assert commands["install"] == f"{scripts}infusion-install.exe nuke {home}.nuke\\infusion"
    assert commands["path"] == f"setx NUKE_PATH {home}.nuke\\infusion"
    variable, named = commands["engine"].removeprefix("setx ").split()
    environment = tmp_path / named.removeprefix(home)
    engine = environment / "Scripts" / "infusion-render.exe"
    engine.parent.mkdir(parents=True)
    engine.touch()
    assert find_engine(None, {variable: str(environment)}) == (engine, variable)


def test_every_installed_command_of_the_page_exists(page: str, checkout: Path) -> None:
    """What the page starts from the environment is one of the package's commands."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]
    started = set(re.findall(r"infusion[/\\](?:bin|Scripts)[/\\]([\w-]+)", page)) - {"pip"}
    assert started == {"infusion-install"}
    assert started <= set(project["scripts"])


def test_a_runs_files_are_where_the_page_says(
    page: str,
    node: nuke.Group,
    stage: Stage,
    stand_in: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a first shot, and one for the farm, the node's folder holds what the table lists."""
    import nuke

    monkeypatch.setenv("INFUSION_FARM", "deadline-cloud")
    engine = stand_in("finish")
    engine.with_name("infusion-farm").symlink_to(engine)
    node.setInput(0, nuke.nodes.Grade(multiply=1.0, inputs=[node.input(0)]))
    session = sessions.session_of(node)
    for press in (buttons.inpaint, buttons.send_to_farm):
        press(node)
        stage.pump(lambda: session.follower is not None and session.follower.is_over)
    (folder,) = re.findall(r"for instance `(.*?)`", page)
    table = page.partition("## Where the files are")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE))
    named -= {"runs/0001/result", "cache"}  # those the engine makes
    assert len(named) == 6
    workspace = sessions.session_of(node).host.workspace()
    assert workspace.match(folder)
    assert [name for name in named if not (workspace / name).exists()] == []


def test_the_page_has_every_button(page: str) -> None:
    """The table of buttons is the panel's row of buttons."""
    table = page.partition("| button |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([A-Z][a-z ]+) \|", table, re.MULTILINE)
    assert rows == [button.label for button in panel.BUTTONS]


def test_the_messages_of_the_page_exist(page: str, checkout: Path) -> None:
    """What the page says that the node says is in its source."""
    table = page.partition("## When it goes wrong")[2]
    messages = re.findall(r"^\| `(.*?)`", table, re.MULTILINE)
    sources = [*(checkout / "infusion_node").glob("*.py"),
               *(checkout / "host_bindings/infusion_hosts/nuke_host").rglob("*.py")]  # fmt: skip
    text = re.sub(r'"\s+f?"', "", "".join(path.read_text("utf-8") for path in sources))
    assert len(messages) == 7
    for message in messages:
        for part in message.split("..."):
            assert part.strip(": ") in text, message


def test_the_picture_is_the_panel(checkout: Path) -> None:
    """The committed picture was drawn from the table as it is, and from the buttons as they are."""
    labels = tuple(button.label for button in panel.BUTTONS)
    with Image.open(draw_panel.PICTURE) as picture:
        assert picture.text["lines"].split("\n") == draw_panel.lines(labels)  # type: ignore[attr-defined]
        assert picture.size == draw_panel.panel(labels).size


def test_the_icon_is_what_its_script_draws() -> None:
    """The committed icon comes from the committed script."""
    with Image.open(draw_icon.ICON) as icon:
        difference = np.asarray(icon, int) - np.asarray(draw_icon.icon(), int)
    assert np.abs(difference).max() <= 8
