"""The port on which a worker answers probes and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.settings import EngineSettings
    from streams.runtime.health import HealthServer


def served(settings: EngineSettings, health: Callable[[], dict[str, Any]]) -> HealthServer:
    """Begin to answer; whoever calls this stops the server.

    Args:
        settings: Where to listen.
        health: As `Lotgate.health`.

    Raises:
        Misconfigured: The port cannot be taken.
    """
    # Only who is asked for numbers pays for the library that writes them.
    from streams.engine.watch.measured import METERS, readings  # noqa: PLC0415
    from streams.runtime.health import HealthServer  # noqa: PLC0415
    from streams.runtime.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics("lotgate-worker", settings.instance_id, METERS, lambda: readings(health()))
    server = HealthServer(settings.health_host, settings.health_port, health, metrics=metrics.text)
    server.start()
    return server
