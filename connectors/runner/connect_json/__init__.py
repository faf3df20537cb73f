"""Records in the JSON form of Kafka Connect, made from the Avro form that the source writes."""

from __future__ import annotations

from connectors.runner.connect_json.form import JsonForm

__all__ = ["JsonForm"]
