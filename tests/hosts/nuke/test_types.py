"""The binding calls Nuke as Nuke is: checked against the public stubs, and against the fake.

Most of the stubs' functions take anything at all; the fake's take what the binding gives them. So
the binding is checked twice by mypy, and the fake is held against the stubs name by name.
"""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path

import pytest

from tests.hosts.nuke.fake_nuke import nuke as fake

BROKEN = {
    "a misspelt function": ("binding.py", "nuke.execute(", "nuke.exectue("),
    "a misspelt method": ("binding.py", "source.firstFrame()", "source.fristFrame()"),
    "a wrong type": ("updates.py", "setProgress(int(100", "setProgress(str(100"),
    "a missing argument": ("sessions.py", '_created, nodeClass="Group"', "_created"),
    "a node class that is none": ("group.py", "nuke.nodes.OneView(", "nuke.nodes.OneVeiw("),
    "a knob given nothing": ("binding.py", "knob.setValue(found)", "knob.setValue(None)"),
}  # fmt: skip
"""Slips of a pen, of which each has to be noticed."""


@dataclass
class Stub:
    """What the public stubs say of one class, or of the module itself."""

    bases: list[str] = field(default_factory=list)
    """Names of the classes above it."""
    calls: dict[str, list[ast.arguments]] = field(default_factory=dict)
    """The arguments of each function, once for each overload."""
    names: set[str] = field(default_factory=set)
    """Constants and classes."""


def _stub_files() -> Iterator[ast.Module]:
    for file in files("types-nuke") or ():
        if file.suffix == ".pyi":
            yield ast.parse(Path(str(file.locate())).read_text("utf-8"))


def _read(body: list[ast.stmt], stub: Stub, found: dict[str, Stub]) -> None:
    for entry in body:
        if isinstance(entry, ast.FunctionDef):
            stub.calls.setdefault(entry.name, []).append(entry.args)
        elif isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name):
            stub.names.add(entry.target.id)
        elif isinstance(entry, ast.ClassDef):
            stub.names.add(entry.name)
            bases = [base.id for base in entry.bases if isinstance(base, ast.Name)]
            found[entry.name] = Stub(bases)
            _read(entry.body, found[entry.name], found)


@pytest.fixture(scope="module")
def stubs() -> dict[str, Stub]:
    """Every class of the stubs by name; the module's own functions under the empty one."""
    found = {"": Stub()}
    for module in _stub_files():
        _read(module.body, found[""], found)
    return found


def _calls_of(stubs: dict[str, Stub], name: str, method: str) -> list[ast.arguments]:
    stub = stubs[name]
    if method in stub.calls:
        return stub.calls[method]
    above = [_calls_of(stubs, base, method) for base in stub.bases if base in stubs]
    return [call for calls in above for call in calls]


def _fits(call: ast.arguments, function: object) -> bool:
    """True when the stub's function takes the fake's arguments, by name and in their order."""
    assert callable(function)
    ours = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    if call.vararg is not None:
        return call.kwarg is not None or [p.name for p in ours] == [call.vararg.arg]
    theirs = [argument.arg for argument in call.args if argument.arg not in ("self", "type")]
    if any(p.kind is p.POSITIONAL_ONLY for p in ours):
        return len(ours) <= len(theirs)
    names = [p.name for p in ours]
    return [name for name in theirs if name in names] == names


@pytest.mark.parametrize("name", sorted(n for n in vars(fake) if inspect.isfunction(vars(fake)[n])))
def test_each_function_of_the_fake_is_nukes(stubs: dict[str, Stub], name: str) -> None:
    """The fake's functions are in the stubs, with these arguments."""
    function = getattr(fake, name)
    calls = stubs[""].calls.get(name, [])
    assert any(_fits(call, function) for call in calls), f"nuke.{name}{inspect.signature(function)}"


def test_each_method_of_the_fake_is_nukes(stubs: dict[str, Stub]) -> None:
    """The fake's classes are in the stubs, and have only methods of theirs."""
    own = {"expression", "flags", "user_knobs", "remove", "take_in", "forget"}
    checked = 0
    for name, kind in vars(fake).items():
        if not inspect.isclass(kind) or name.startswith("_") or "fake_nuke" not in kind.__module__:
            continue
        assert name in stubs, name
        for method, function in inspect.getmembers(kind, callable):
            if method.startswith("_") or method in own or name in ("NodeConstructor", "Nodes"):
                continue
            if issubclass(kind, Exception) and hasattr(Exception, method):
                continue  # Python's own
            calls = _calls_of(stubs, name, method)
            assert any(_fits(call, function) for call in calls), f"{name}.{method}"
            checked += 1
    assert checked > 100


def test_each_constant_of_the_fake_is_nukes(stubs: dict[str, Stub]) -> None:
    """The fake's constants are in the stubs."""
    constants = {
        name for name in vars(fake) if name.isupper() and name not in ("STAGE", "NO_UNDO_FLAG")
    }
    assert constants == {
        "GUI", "INVISIBLE", "NO_ANIMATION", "NO_UNDO", "NUKE_VERSION_STRING", "STARTLINE",
    }  # fmt: skip
    assert constants <= stubs[""].names


def _mypy(checkout: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Mypy over the binding below `folder`, with the fake in the place of `nuke`."""
    fake_folder = checkout / "tests/hosts/nuke/fake_nuke"
    paths = [str(path) for path in (fake_folder, checkout, folder)]
    config = folder / "mypy.ini"
    config.write_text(
        f"[mypy]\nstrict = True\npython_version = 3.11\nmypy_path = {':'.join(paths)}\n"
        f"explicit_package_bases = True\nnamespace_packages = True\ncache_dir = {folder}/cache\n"
        "[mypy-OpenEXR.*]\nignore_missing_imports = True\n"
        "[mypy-numpy.*]\nfollow_imports = skip\n"
        "[mypy-tests.hosts.nuke.fake_nuke.pictures]\nignore_errors = True\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(config), "infusion_hosts/nuke_host"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def test_slips_are_noticed(checkout: Path, tmp_path: Path) -> None:
    """The binding passes mypy with the fake as `nuke`; each slip in a copy of it does not."""
    source = checkout / "host_bindings/infusion_hosts"
    host = tmp_path / "infusion_hosts"
    shutil.copytree(source / "nuke_host", host / "nuke_host")
    shutil.copy(source / "__init__.py", host)
    lines = {}
    for slip, (name, right, wrong) in BROKEN.items():
        copy = host / "nuke_host" / f"broken_{name}"
        text = copy if copy.exists() else copy.with_name(name)
        before, found, after = text.read_text("utf-8").partition(right)
        assert found, f"{slip}: {right!r} is not in {name} any more"
        copy.write_text(before + wrong + after, "utf-8")
        lines[slip] = f"nuke_host/broken_{name}:{before.count(chr(10)) + 1}: error"
    said = _mypy(checkout, tmp_path).stdout
    assert [slip for slip, line in lines.items() if line not in said] == [], said
    errors = [line for line in said.splitlines() if ": error:" in line]
    assert [line for line in errors if "nuke_host/broken_" not in line] == []
