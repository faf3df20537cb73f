"""Commands for people: one module per command of `lotgate`, thin over the rooms that work."""
