"""Ways in which values travel that are not the default: Debezium's own, and its modes."""
