"""Meters of a process: OpenTelemetry instruments that are read when somebody asks.

Nothing is counted event by event here: the work keeps its own numbers, and a function reads them
at each collection. `/metrics` is one reader, in Prometheus' text form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.metrics import CallbackOptions
    from opentelemetry.sdk.metrics.export import MetricReader

    from streams.runtime.meters import Meter, Reading


class Metrics:
    """The meters of one process.

    Args:
        service: What runs, e.g. `lotgate-erp-cdc`.
        instance: Which of several.
        meters: What is measured.
        read: Gives the values of this moment; called in the reader's thread, must not wait.
        readers: Further OpenTelemetry readers, e.g. of an exporter.
    """

    def __init__(
        self,
        service: str,
        instance: str,
        meters: Sequence[Meter],
        read: Callable[[], Iterable[Reading]],
        readers: Iterable[MetricReader] = (),
    ) -> None:
        self._read = read
        self._registry = CollectorRegistry()
        text = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        resource = Resource.create({"service.name": service, "service.instance.id": instance})
        self._provider = MeterProvider([text, *readers], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("lotgate")
        for each in meters:
            create = (
                meter.create_observable_counter
                if each.kind == "counter"
                else meter.create_observable_gauge
            )
            create(each.name, [self._observing(each.name)], each.unit, each.meaning)

    def text(self) -> bytes:
        """Everything in Prometheus' text form."""
        return generate_latest(self._registry)

    def close(self) -> None:
        """Let the readers go."""
        self._provider.shutdown()

    def _observing(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(reading.value, dict(reading.labels))
                for reading in self._read()
                if reading.meter == name
            ]

        return observe
