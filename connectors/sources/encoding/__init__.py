"""Avro bytes written directly: what a source needs to encode rows without an object per row."""
