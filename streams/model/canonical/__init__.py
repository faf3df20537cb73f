"""Nouns of the canonical model, a file for each."""
