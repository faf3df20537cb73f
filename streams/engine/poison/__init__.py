"""Records that cannot be processed: dead letters, what waits behind them, and the fuse."""
