"""Timers: what is pending in a partition, and what happens when it is due (law E7)."""
