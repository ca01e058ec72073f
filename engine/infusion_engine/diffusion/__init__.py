"""The mathematics: schedule, intervals, networks, noise and the sampler."""
