"""The headless engine: fits a small 3-D diffusion network to one shot and fills its matte."""

__version__ = "0.1.0"
