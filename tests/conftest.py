"""Fixtures that every room's tests may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parent.parent

# The same examples in every run, and no example fails for being slow on a busy machine.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_configure() -> None:
    """Give each of several workers a core of its own, and have all of them hear Ctrl-C.

    Two processes that both compute on both cores wait for each other at the end of every loop.
    The processes that a test starts inherit the core, and with it their number of threads. A shell
    starts what runs in its background with SIGINT ignored, and that would be inherited, too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this checkout."""
    return CHECKOUT


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Arithmetic on one thread, so that small tests are quick and repeat."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def outside_media() -> Path:
    """The folder of footage and awkward files that the repository does not hold.

    `INFUSION_TEST_MEDIA` names it; without the variable it is `../shared` beside the checkout. A
    test that asks for it skips, and says so, where the folder is absent.
    """
    folder = Path(os.environ.get("INFUSION_TEST_MEDIA") or CHECKOUT.parent / "shared")
    if not (folder / "media").is_dir() or not (folder / "footage").is_dir():
        pytest.skip(f"no outside media: INFUSION_TEST_MEDIA or {folder} has no media/ and footage/")
    return folder
