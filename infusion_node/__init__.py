"""Infusion Inpaint inside a compositing host: standard library only, Python 3.9, no torch."""
