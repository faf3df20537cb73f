"""Faust's transport plug-in `lotgate://`: Faust drives agents, the engine drives the data."""

from __future__ import annotations

from faust.transport import base

from streams.engine.plugin.consumer import Consumer
from streams.engine.plugin.producer import Producer


class Transport(base.Transport):
    """What Faust loads for broker URLs `lotgate://host:port`."""

    Consumer = Consumer
    Producer = Producer
    default_port = 9092
    driver_version = "lotgate"
