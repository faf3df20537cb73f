"""Verdicts: pure functions from state and event to state and what follows."""
