"""Access rules and quotas of the broker: asked by short-lived clients, changed by none."""
