"""Systems whose changes are read: each behind the `Source` protocol."""
