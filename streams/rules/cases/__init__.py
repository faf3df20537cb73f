"""Acceptance cases of rules: their format, and one runner per rule group."""
