"""What a chain works on: the shot, encoded, at every size, and what names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infusion_engine.diffusion.pyramid import PyramidLevel


@dataclass(frozen=True)
class Source:
    """What the chain works on."""

    levels: tuple[PyramidLevel, ...]
    """The encoded clip at every size, coarsest first, on the device; the last is what is filled."""
    clip: str
    """Digest of the known pixels and the matte."""
    encoding: Mapping[str, object]
    """The encoding's parameters."""
