"""What crosses the process boundary between a host and the engine: knobs, jobs and events."""
