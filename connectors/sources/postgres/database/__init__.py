"""The server beside its log: catalogue, checks, snapshot."""
