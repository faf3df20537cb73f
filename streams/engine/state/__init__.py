"""State of one partition of one stage: on disk, in memory, staged, restored."""
