"""Quarantine: causes, the lots they reach, what is commanded, and what counts as applied."""
