"""The initial snapshot, read through what the slot's creation exported."""
