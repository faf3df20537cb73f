"""Whether the worker moves: beats, the process that listens to them, and what probes are told."""
