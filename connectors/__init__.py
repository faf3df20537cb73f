"""Who Lotgate talks to: one foreign system per module, each behind a small protocol."""
