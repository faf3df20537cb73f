"""The one loop of hold sinks: commands in, effects at the target, acks and positions out."""

from connectors.runner.sink.config import Retrying, SinkConfig
from connectors.runner.sink.start import run_sink

__all__ = ["Retrying", "SinkConfig", "run_sink"]
