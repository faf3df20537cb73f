"""Commands for people: each module is one command of `lotgate`, thin over rooms that do the work."""
