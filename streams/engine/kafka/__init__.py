"""The broker's side: client settings, transactions, readers, and what the broker must hold."""
