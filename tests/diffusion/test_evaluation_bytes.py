"""What an evaluation is reckoned to take is what it takes: --memory goes by it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infusion_engine.settings import Network

MEASURE = """
import sys, threading, time
from dataclasses import fields, replace
from pathlib import Path
import torch
from infusion_engine.arithmetic import chosen
from infusion_engine.diffusion.denoise import build, evaluation_bytes, initialise, precise
from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.settings import PRESETS, Network

preset = {"residual": "draft", "published": "paper"}[sys.argv[1]]
settings = chosen(PRESETS[preset], torch.device("cpu"))
model = build(settings.network, channels=settings.channels)
initialise(model, 0)
torch.set_num_threads(1)

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def evaluate(*size):
    x = torch.randn(1, 3, *size)
    hole = torch.ones(1, 1, *size)
    whole = Hint(*(part.expand(-1, -1, size[0], *size[1:]).clone() for part in
                   (getattr(bare(x), field.name) for field in fields(Hint))))
    before = resident()
    with torch.no_grad(), precise(settings.precision, x.device):
        model(x, x, hole, whole, torch.tensor([300]))
    return before

evaluate(8, 32, 32)
peak, over = 0, False

def watch():
    global peak
    while not over:
        peak = max(peak, resident())
        time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
before = evaluate(24, 96, 96)
over = True
watcher.join()
print((peak - before) / (24 * 96 * 96), evaluation_bytes(model, settings))
"""
"""Prints bytes a voxel: most that were resident beside the arguments, and reckoned."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc for resident memory")
@pytest.mark.parametrize("network", [network.value for network in Network])
def test_an_evaluation_takes_no_more_than_is_reckoned(network: str) -> None:
    """And not so much less that tiles would be far smaller than they might be."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, network], capture_output=True, text=True, check=True
    )
    taken, reckoned = map(float, done.stdout.split())
    assert 0.5 * reckoned < taken < 1.1 * reckoned
