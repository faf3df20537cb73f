"""Snapshots read while the log is streamed, chunk by chunk."""
