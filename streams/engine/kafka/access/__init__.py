"""Access rules, quotas and groups of the broker: asked by short-lived clients, changed by none."""
