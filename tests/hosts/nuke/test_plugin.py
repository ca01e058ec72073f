"""The folder that Nuke looks into: what is installed, that it loads and never stops Nuke."""

from __future__ import annotations

import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from infusion_hosts.nuke_host.install import MARKER, install
from infusion_node.errors import FolderError

START = """
import sys
sys.path[:0] = {paths!r}
for name in ("init.py", "menu.py"):
    path = {folder!r} + "/" + name
    exec(compile(open(path).read(), path, "exec"), {{"__file__": path}})
print("Nuke has started")
import nuke
from tests.hosts.nuke.fake_nuke.stage import STAGE
print(sorted(STAGE.commands), [kind for _, kind in STAGE.created], STAGE.plugin_paths)
if STAGE.commands:
    node = STAGE.commands["Nodes/Infusion/Infusion Inpaint"]()
    print(node.name(), node.Class(), node["preset"].value())
foreign = {{name.split(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
print(sorted(foreign - {{"__main__", "nuke", "tests"}}))
"""
"""What Nuke does when it starts, in an interpreter without anything but the standard library."""


def _start(checkout: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(checkout / "tests/hosts/nuke/fake_nuke"), str(folder / "nowhere")]
    # Only the fake comes from the checkout: were it on the path, so would be the node itself.
    program = START.format(paths=paths, folder=str(folder))
    namespace = (
        "import sys, types\n"
        "for name in ('tests', 'tests.hosts', 'tests.hosts.nuke', 'tests.hosts.nuke.fake_nuke'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        f"    sys.modules[name].__path__ = [{str(checkout)!r} + '/' + name.replace('.', '/')]\n"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", namespace + program],
        capture_output=True, text=True, check=False, timeout=60, cwd=folder.parent,
    )  # fmt: skip


def _expected(checkout: Path) -> set[str]:
    hosts = checkout / "host_bindings/infusion_hosts"
    node = [
        f"lib/{path.relative_to(checkout)}" for path in (checkout / "infusion_node").rglob("*.py")
    ]
    binding = [
        f"lib/infusion_hosts/nuke_host/{path.name}"
        for path in (hosts / "nuke_host").glob("*.py")
        if path.name != "install.py"
    ]
    start = ["init.py", "menu.py", "icons/infusion_inpaint.png", MARKER]
    return {*node, *binding, *start, "lib/infusion_hosts/__init__.py"}


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_exactly_what_nuke_needs_is_installed(checkout: Path, tmp_path: Path) -> None:
    """The node and this binding alone: no engine, no other host, nothing compiled."""
    py_compile.compile(str(checkout / "host_bindings/infusion_hosts/nuke_host/reads.py"))
    folder = install(tmp_path / "nuke" / "infusion")
    assert folder == tmp_path / "nuke" / "infusion"
    assert _files(folder) == _expected(checkout)
    assert [path.name for path in folder.parent.iterdir()] == ["infusion"]


def test_an_older_one_of_ours_is_replaced(checkout: Path, tmp_path: Path) -> None:
    """Installing again leaves nothing of before."""
    folder = install(tmp_path / "infusion")
    (folder / "lib" / "infusion_node" / "gone.py").touch()
    install(folder)
    assert _files(folder) == _expected(checkout)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """A folder with anything of somebody else's in it is refused and stays as it is."""
    (tmp_path / "menu.py").write_text("theirs")
    with pytest.raises(FolderError, match="was not written by infusion-install"):
        install(tmp_path)
    assert _files(tmp_path) == {"menu.py"}


def test_nuke_starts_with_it(checkout: Path, tmp_path: Path) -> None:
    """Nuke finds menu and icon, and makes the node, with nothing but the standard library."""
    folder = install(tmp_path / "infusion")
    run = _start(checkout, folder)
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "Nuke has started",
        f"['Nodes/Infusion/Infusion Inpaint'] ['Group'] ['{folder / 'icons'}']",
        "InfusionInpaint1 Group draft",
        "['infusion_hosts', 'infusion_node']",
    ]


@pytest.mark.parametrize("damage", ["gone", "torn", "half"])
def test_nuke_starts_in_spite_of_it(checkout: Path, tmp_path: Path, damage: str) -> None:
    """A broken install prints a line for each start-up file, and Nuke starts."""
    folder = install(tmp_path / "infusion")
    sessions = folder / "lib/infusion_hosts/nuke_host/sessions.py"
    if damage == "gone":
        (folder / "lib").rename(tmp_path / "lib")
    elif damage == "torn":
        sessions.write_text("def broken(:\n")
    else:
        sessions.write_text("import nuke\nnuke.no_such_call()\n")
    run = _start(checkout, folder)
    assert run.stdout.splitlines()[0] == "Nuke has started"
    first, second = run.stderr.splitlines()
    assert first.startswith("Infusion Inpaint is not available: ")
    assert second.startswith("Infusion Inpaint has no menu: ")
