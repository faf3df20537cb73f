"""One agent per file: each binds a topic, a store and a rule; nothing else."""
