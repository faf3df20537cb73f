"""Holds lots in a Tryton ERP through its own REST API, and reads back what became of them."""

from connectors.sinks.tryton.rest.config import TrytonConfig
from connectors.sinks.tryton.sink import TrytonSink

__all__ = ["TrytonConfig", "TrytonSink"]
