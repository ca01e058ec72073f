"""The presets as they are when something is computed: in float32, whatever the machine has."""

from __future__ import annotations

from dataclasses import replace

from infusion_engine import settings
from infusion_engine.settings import Precision

PRESETS = {
    name: replace(preset, precision=Precision.FP32) for name, preset in settings.PRESETS.items()
}
"""`draft` and `standard` leave the precision to the device, and nothing is computed before."""
