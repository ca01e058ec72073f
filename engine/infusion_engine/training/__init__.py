"""Fitting a network to one interval of one shot."""
