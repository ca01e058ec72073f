"""Parameters: how many numbers one fit keeps."""

from __future__ import annotations

from infusion_engine.diffusion.denoise import build
from infusion_engine.settings import Settings


def parameters(settings: Settings) -> int:
    """Parameters of the network that `settings` name, a float each."""
    model = build(settings.network, channels=settings.channels)
    return sum(parameter.numel() for parameter in model.parameters())
