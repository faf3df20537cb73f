"""The only loops of connectors: read, act or encode, commit; retry and park."""
