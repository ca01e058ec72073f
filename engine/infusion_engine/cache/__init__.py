"""Fits and samples on disk, addressed by what determines them."""
