"""Farm: one shot on many machines, through schedulers that studios already run."""
