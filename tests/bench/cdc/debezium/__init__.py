"""Debezium in Kafka Connect's standalone worker, set up from pinned files."""
