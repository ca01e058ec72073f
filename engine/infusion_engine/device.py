"""The device that computes: chosen by name, and its failures said in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from infusion_engine.errors import DeviceError

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_LOST = ("CUDA error", "cuDNN error", "device-side assert")


def choose_device(name: str) -> torch.device:
    """The device that `--device` names; `auto` takes CUDA when there is one.

    Raises:
        DeviceError: CUDA was asked for and is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise DeviceError(
                f"--device {name} was asked for, and this machine has {count} CUDA devices that "
                f"torch {torch.__version__} can use.",
                remedy="Use --device cpu, or install a CUDA build of torch and its driver.",
            )
        # The same bits from the same device twice: no algorithm is picked by a race.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        # fp32 means fp32: TF32 keeps ten bits of twenty-three, in products as in convolutions.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    return device


@contextmanager
def device_errors(device: torch.device) -> Iterator[None]:
    """Turn what torch says of memory and lost devices into a DeviceError.

    Raises:
        DeviceError: memory ran out, or the device failed.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        if is_out_of_memory(error):
            raise _memory(device) from error
        if any(sign in text for sign in _LOST):
            raise DeviceError(
                f"The device {device} failed: {text.splitlines()[0]}.",
                remedy="Run the same command again: it goes on from the last finished interval.",
            ) from error
        raise


def is_out_of_memory(error: Exception) -> bool:
    """Whether that is what torch says of memory, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(sign in str(error) for sign in _OUT_OF_MEMORY)


def _memory(device: torch.device) -> DeviceError:
    """What to say when memory ran out."""
    return DeviceError(
        f"The device {device} ran out of memory.",
        remedy="Lower --memory, --set crop_pixels or --set batch, or use a device with "
        "more memory; everything finished is kept.",
    )
