"""Frames on disk: sequences, pixels, mattes, encodings and the layer that is written."""
