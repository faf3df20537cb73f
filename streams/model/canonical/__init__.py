"""Nouns of quality records, a file for each."""
