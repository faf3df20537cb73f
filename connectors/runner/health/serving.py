"""The port on which a connector answers probes and metrics, while it runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streams.runtime.meters import Meter, Reading
    from streams.runtime.settings import HealthSettings


class Told(Protocol):
    """What probes and meters are made of."""

    @property
    def meters(self) -> Sequence[Meter]:
        """What is measured."""
        ...

    def report(self) -> Mapping[str, Any]:
        """As `HealthServer` wants it; called from any thread, waits for nothing."""
        ...

    def readings(self) -> Iterable[Reading]:
        """The meters' values of this moment, likewise."""
        ...


@contextmanager
def served(settings: HealthSettings, service: str, instance: str, told: Told) -> Iterator[int]:
    """Answer probes and metrics for the length of a block.

    Args:
        settings: Where to listen; port 0 for nowhere.
        service: What runs, e.g. `erp-cdc`.
        instance: Which of several.
        told: What there is to tell.

    Yields:
        The port, 0 if nothing is answered.

    Raises:
        Misconfigured: The port cannot be taken.
    """
    if not settings.health_port:
        yield 0
        return
    # Only who is asked for numbers pays for the library that writes them.
    from streams.runtime.health import HealthServer  # noqa: PLC0415
    from streams.runtime.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics(f"lotgate-{service}", instance, told.meters, told.readings)
    server = HealthServer(
        settings.health_host, settings.health_port, told.report, metrics=metrics.text
    )
    server.start()
    try:
        yield server.port
    finally:
        server.stop()
        metrics.close()
