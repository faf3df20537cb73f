"""Name to connector, as a literal table, and the one place that starts them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from connectors.runner.database import EvidenceConfig, run_evidence
from connectors.runner.sink import run_sink
from connectors.runner.sink.config import SinkConfig
from connectors.runner.source import run_source
from connectors.runner.source_config import SourceConfig
from connectors.sinks.tryton.rest.config import TrytonConfig
from connectors.sinks.tryton.sink import TrytonSink
from streams.contracts.shipped import shipped_codec
from streams.engine import arm
from streams.errors import Misconfigured
from streams.model.hold import Enforcement
from streams.runtime.logging import configure_logging
from streams.runtime.settings import (
    EvidenceSettings,
    HoldSettings,
    SourceSettings,
    load,
    secret,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector that `lotgate connect` knows.

    Attributes:
        kind: Which loop runs it.
        system: The foreign system, as it appears in topics and ids.
        translator: For a source: the translator of its rows.
        partition: For a source: its partition of the positions topic.
    """

    kind: Literal["source", "hold", "evidence"]
    system: str
    translator: str = ""
    partition: int = 0


CONNECTORS: dict[str, Connector] = {
    "erp-cdc": Connector("source", "erp", translator="tryton", partition=0),
    "qms-cdc": Connector("source", "qms", translator="oca", partition=1),
    "erp-hold": Connector("hold", "erp"),
    "evidence": Connector("evidence", "evidence"),
}


def run(name: str, *, place_open: bool = False) -> None:
    """Run a connector until it is told to stop.

    Args:
        name: A name in `CONNECTORS`.
        place_open: For a hold sink: see `HoldSettings.place_open`.

    Raises:
        Misconfigured: The name is unknown, or its settings or its surroundings are not right.
    """
    connector = connector_of(name)
    asyncio.run(until_stopped(_work(name, connector, place_open=place_open)))


def _work(name: str, connector: Connector, *, place_open: bool) -> Coroutine[Any, Any, None]:
    match connector.kind:
        case "source":
            return source(name, connector)
        case "hold":
            return hold(name, connector, place_open=place_open)
        case "evidence":
            return evidence(name)


def source(name: str, connector: Connector) -> Coroutine[Any, Any, None]:
    """A database read through logical replication."""
    settings = load(SourceSettings)
    config = source_config(connector, settings)
    configure_logging(f"connect {name}", form=settings.log_format, secrets=(config.dsn,))
    arm(settings.fault)
    connection = settings.connection()
    return run_source(config, connection, shipped_codec(settings.registry_url, connection))


def source_config(connector: Connector, settings: SourceSettings) -> SourceConfig:
    """What a source is told, from the table above and what the operator set."""
    return SourceConfig(
        source=connector.system,
        translator=settings.source_translator or connector.translator,
        site=settings.source_site,
        dsn=secret("LOTGATE_SOURCE_DSN", settings.source_dsn, settings.source_dsn_file),
        slot=settings.source_slot or f"lotgate_{connector.system}",
        publication=settings.source_publication,
        partition=given if (given := settings.source_partition) >= 0 else connector.partition,
        provision=settings.provision,
        version=version("lotgate"),
    )


def connector_of(name: str) -> Connector:
    """The connector of a name.

    Raises:
        Misconfigured: There is none.
    """
    connector = CONNECTORS.get(name)
    if connector is None:
        raise Misconfigured(
            f"there is no connector {name!r}",
            code="unknown_connector",
            advice=f"use one of: {', '.join(CONNECTORS)}",
        )
    return connector


def hold(name: str, connector: Connector, *, place_open: bool) -> Coroutine[Any, Any, None]:
    """A system in which holds are placed."""
    settings = load(HoldSettings)
    key = settings.erp_key.get_secret_value() if settings.erp_key else ""
    configure_logging(f"connect {name}", form=settings.log_format, secrets=(key,))
    arm(settings.fault)
    connection = settings.connection()
    config = SinkConfig(
        target=connector.system,
        group=settings.group,
        prefix=settings.prefix,
        enforcement=Enforcement(settings.enforce),
        place_open=place_open or settings.place_open,
        instance_id=settings.instance_id,
        build=version("lotgate"),
    )
    sink = TrytonSink(
        TrytonConfig(
            url=settings.erp_url,
            key_file=settings.erp_key_file,
            key=key,
            company=settings.erp_company,
            quarantine=settings.erp_quarantine,
            target=connector.system,
            timeout_s=settings.erp_timeout_s,
            cancel_shipments=settings.cancel_shipments,
        )
    )
    return run_sink(config, connection, shipped_codec(settings.registry_url, connection), sink)


def evidence(name: str) -> Coroutine[Any, Any, None]:
    """Everything that happened, in PostgreSQL."""
    settings = load(EvidenceSettings)
    dsn = secret("LOTGATE_EVIDENCE_DSN", settings.evidence_dsn, settings.evidence_dsn_file)
    configure_logging(f"connect {name}", form=settings.log_format, secrets=(dsn,))
    arm(settings.fault)
    connection = settings.connection()
    config = EvidenceConfig(dsn, provision=settings.provision)
    return run_evidence(config, connection, shipped_codec(settings.registry_url, connection))


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends or the process is told to stop (SIGTERM, SIGINT)."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
