"""CUDA: the same command gives the same bits on the same device, resumed or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, Run, ShotFiles

pytestmark = pytest.mark.gpu

ReadFiles = Callable[[Path], dict[str, bytes]]


@pytest.fixture(autouse=True)
def _cuda() -> None:
    """Skips where torch sees no CUDA device."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} sees no CUDA device")


@pytest.fixture
def render(fresh: Callable[..., Run]) -> Callable[..., Outcome]:
    """Runs the command on the GPU: a process that loads CUDA cannot be forked from another."""

    def run(command: tuple[str, ...], *more: str) -> Outcome:
        return fresh(*command, "--device", "cuda", *more).outcome()

    return run


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("network", ["residual", "published"])
def test_the_same_command_gives_the_same_bits(
    exr_shot: Callable[..., ShotFiles],
    render: Callable[..., Outcome],
    files: ReadFiles,
    tmp_path: Path,
    *,
    precision: str,
    network: str,
) -> None:
    """Two runs from nothing, each with its own cache, write the same frames."""
    shot = exr_shot(tmp_path)
    numbers = (f"precision={precision}", f"network={network}", "steps_per_interval=30")
    more = tuple(part for number in numbers for part in ("--set", number))
    for name in ("a", "b"):
        outcome = render(shot.arguments(tmp_path / name, tmp_path / f"{name}-cache"), *more)
        assert (outcome.code, outcome.fitted) == (0, [0, 1, 2]), outcome.message
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_killed_and_resumed(
    exr_shot: Callable[..., ShotFiles],
    fresh: Callable[..., Run],
    render: Callable[..., Outcome],
    files: ReadFiles,
    tmp_path: Path,
) -> None:
    """A run that was killed after its first interval ends with the undisturbed run's frames."""
    shot = exr_shot(tmp_path)
    longer = ("--set", "steps_per_interval=30")
    whole = render(shot.arguments(tmp_path / "whole", tmp_path / "whole-cache"), *longer)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache")
    run = fresh(*command, "--device", "cuda", *longer)
    run.until_told("interval", index=0, outcome="fitted")
    run.killed()

    again = render(command, *longer)

    assert (whole.code, again.code) == (0, 0), again.message
    assert 0 in again.hits
    assert files(tmp_path / "out").items() >= files(tmp_path / "whole").items()


def test_a_sample_of_the_gpu_is_written_alike_by_the_cpu(
    exr_shot: Callable[..., ShotFiles],
    render: Callable[..., Outcome],
    files: ReadFiles,
    tmp_path: Path,
) -> None:
    """The last sample is in the cache: a machine without a GPU writes the same frames from it."""
    shot = exr_shot(tmp_path)
    first = render(shot.arguments(tmp_path / "gpu", tmp_path / "cache"))
    second = render(shot.arguments(tmp_path / "cpu", tmp_path / "cache"), "--device", "cpu")

    assert (first.code, second.code, second.hits) == (0, 0, [0, 1, 2]), second.message
    assert "inpainting" not in second.phases
    assert files(tmp_path / "gpu") == files(tmp_path / "cpu")
