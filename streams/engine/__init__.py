"""The exactly-once cycle on Faust: one cycle, one Kafka transaction, one write per store."""
