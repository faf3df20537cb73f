"""The evidence store as data and queries: what happened, in which order, from where."""
