"""The server's log: the connection that streams it, its messages, and whole transactions of it."""
