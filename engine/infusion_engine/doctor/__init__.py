"""One page on what a render needs of this machine, and whether it is there."""
