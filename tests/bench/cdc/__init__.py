"""The bench of change data capture: our PostgreSQL source beside Debezium, in one run."""
