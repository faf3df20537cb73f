"""Row encoders written as source text for one table's shape, compiled once and run per row."""
