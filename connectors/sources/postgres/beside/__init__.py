"""Records that a source writes beside the rows': transactions, messages, heartbeats."""
