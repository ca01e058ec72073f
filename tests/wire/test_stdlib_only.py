"""The node's side of the wire loads in a bare interpreter, as inside a host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import infusion_node.wire
from infusion_node.wire.job import RenderJob

_PROBE = """
import sys
before = set(sys.modules)
sys.path.insert(0, {root!r})
import importlib, json, pkgutil
import infusion_node
names = [m.name for m in pkgutil.walk_packages(infusion_node.__path__, "infusion_node.")]
for name in names:
    importlib.import_module(name)
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
foreign = sorted(loaded - set(sys.stdlib_module_names) - {{"infusion_node"}})
from infusion_node.wire.job import RenderJob
print(json.dumps([names, foreign, json.loads(RenderJob("p", "o").to_json())]))
"""


def test_the_node_needs_nothing_but_the_standard_library() -> None:
    """With site-packages switched off, every module loads and a job can be written."""
    root = str(Path(infusion_node.wire.__file__).parents[2])

    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PROBE.format(root=root)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stderr == ""
    names, foreign, job = json.loads(run.stdout)
    assert foreign == []
    assert {"infusion_node.wire.job", "infusion_node.wire.events"} <= set(names)
    assert job == RenderJob("p", "o").to_dict()
