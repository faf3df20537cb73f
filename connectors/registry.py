"""Name to connector, as a literal table, and the one place that starts them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from connectors.runner.database import EvidenceConfig, run_evidence
from connectors.runner.declared import ALL_MODES, declared, policy_of, refuse_tables
from connectors.runner.ending import after_broker, run_process
from connectors.runner.health.serving import served
from connectors.runner.health.sink import SinkHealth, SinkTold
from connectors.runner.health.source import SourceHealth
from connectors.runner.health.source_told import source_served
from connectors.runner.sink import run_sink
from connectors.runner.sink.config import SinkConfig
from connectors.runner.source import run_source
from connectors.runner.source_chosen import chosen
from connectors.sinks.tryton.rest.config import TrytonConfig
from connectors.sinks.tryton.sink import TrytonSink
from connectors.sources.postgres.names import secrets_of
from streams.contracts.interfaces import Release
from streams.contracts.shipped import shipped_codec
from streams.contracts.topics import HOLD_COMMANDS, dead_letters, prefixed
from streams.engine import arm
from streams.errors import Misconfigured
from streams.model.hold import Enforcement
from streams.runtime.connection_string import parts_of
from streams.runtime.logging import configure_logging
from streams.runtime.settings import (
    EvidenceSettings,
    HoldSettings,
    SourceSettings,
    load,
    secret,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from connectors.runner.ending import Work
    from connectors.runner.source_config import SourceConfig
    from streams.runtime.connection import KafkaConnection
    from streams.runtime.settings import CommonSettings


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
    "crm-cdc": Connector("source", "crm", translator="crm", partition=2),
    "erp-hold": Connector("hold", "erp"),
    "evidence": Connector("evidence", "evidence"),
}


@dataclass(frozen=True, slots=True)
class Process:
    """A connector whose settings are complete; nothing of it is open yet.

    Attributes:
        work: Makes what runs.
        secrets: Values that must never be shown.
    """

    work: Work
    secrets: tuple[str, ...] = field(repr=False)


def run(name: str, *, place_open: bool = False) -> None:
    """Run a connector until it is told to stop.

    Args:
        name: A name in `CONNECTORS`.
        place_open: For a hold sink: see `HoldSettings.place_open`.

    Raises:
        Misconfigured: The name is unknown, or a setting is missing or wrong; nothing was opened.
        Ended: The connector ended by itself; carries the exit code.
    """
    connector = connector_of(name)
    process = _process(name, connector, place_open=place_open)
    run_process(name, process.work, process.secrets)


def _process(name: str, connector: Connector, *, place_open: bool) -> Process:
    match connector.kind:
        case "source":
            return source(name, connector)
        case "hold":
            return hold(name, connector, place_open=place_open)
        case "evidence":
            return evidence(name)


def source(name: str, connector: Connector) -> Process:
    """A database read through logical replication."""
    settings = load(SourceSettings)
    config, connection = source_config(connector, settings), settings.connection()
    hidden = (*secrets_of(config.dsn), config.selection.secret.decode())
    secrets = _prepare(name, settings, connection, *hidden)
    flow = declared(settings.contracts, name, connector.system, connection)
    config = replace(config, tables=refuse_tables(flow, config.tables))

    letters = dead_letters(f"{connection.group}-{config.source}")
    contract = {"dead_letters": prefixed(connection.prefix, letters), "retry": {}}

    async def work() -> None:
        codec, health = shipped_codec(settings.registry_url, connection), SourceHealth()
        with source_served(settings, name, config, health, contract):
            await run_source(config, connection, codec, health=health)

    return Process(work, secrets)


def _prepare(
    name: str, settings: CommonSettings, connection: KafkaConnection, *secrets: str
) -> tuple[str, ...]:
    """Set up what every connector needs; give all that must not be shown."""
    hidden = (*secrets, connection.security.get("sasl.password", ""))
    configure_logging(f"connect {name}", form=settings.log_format, secrets=hidden)
    arm(settings.fault)
    return hidden


def source_config(connector: Connector, settings: SourceSettings) -> SourceConfig:
    """What a source is told, from the table above and what the operator set.

    Raises:
        Misconfigured: The connection string is missing or is none.
    """
    return chosen(settings, connector.system, connector.translator, connector.partition)


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


def hold(name: str, connector: Connector, *, place_open: bool) -> Process:
    """A system in which holds are placed."""
    settings = load(HoldSettings)
    key = secret("LOTGATE_ERP_KEY", settings.erp_key, settings.erp_key_file)
    connection = settings.connection()
    token_key = _token_key(settings)
    secrets = _prepare(name, settings, connection, key, *filter(None, [token_key]))
    flow = declared(settings.contracts, name, connector.system, connection, ALL_MODES)
    config = SinkConfig(
        target=connector.system,
        group=settings.group,
        prefix=settings.prefix,
        enforcement=Enforcement(settings.enforce),
        place_open=place_open or settings.place_open,
        instance_id=settings.instance_id,
        build=version("lotgate"),
        flow=name,
        release=Release() if flow is None else Release.of(flow.flow),
        policy=policy_of(settings.contracts, flow, str(HOLD_COMMANDS.schema), token_key),
    )
    target = TrytonConfig(
        url=settings.erp_url,
        key_file=settings.erp_key_file,
        key=key,
        company=settings.erp_company,
        quarantine=settings.erp_quarantine,
        target=connector.system,
        timeout_s=settings.erp_timeout_s,
        cancel_shipments=settings.cancel_shipments,
    )

    def work(health: SinkHealth) -> Coroutine[Any, Any, None]:
        codec = shipped_codec(settings.registry_url, connection)
        return run_sink(config, connection, codec, TrytonSink(target), health=health)

    return Process(_told(name, settings, connection, work, config.contract), secrets)


def _token_key(settings: HoldSettings) -> str:
    key, file = settings.token_key, settings.token_key_file
    given = key is not None or file is not None
    return secret("LOTGATE_TOKEN_KEY", key, file) if given else ""


def _told(
    name: str,
    settings: HoldSettings | EvidenceSettings,
    connection: KafkaConnection,
    work: Callable[[SinkHealth], Coroutine[Any, Any, None]],
    contract: Mapping[str, Any] | None = None,
) -> Work:
    """A sink's work with its probes, which answer before the broker does."""

    async def run() -> None:
        health = SinkHealth(detail="waits for the broker")
        told = SinkTold(name, version("lotgate"), health, contract)
        with served(settings, name, getattr(settings, "instance_id", name), told):
            await after_broker(name, connection, lambda: work(health))

    return run


def evidence(name: str) -> Process:
    """Everything that happened, in PostgreSQL."""
    settings = load(EvidenceSettings)
    dsn = secret("LOTGATE_EVIDENCE_DSN", settings.evidence_dsn, settings.evidence_dsn_file)
    parts_of(dsn, "LOTGATE_EVIDENCE_DSN")
    connection = settings.connection()
    secrets = _prepare(name, settings, connection, *secrets_of(dsn))
    declared(settings.contracts, name, CONNECTORS[name].system, connection)
    config = EvidenceConfig(dsn, provision=settings.provision)

    def work(health: SinkHealth) -> Coroutine[Any, Any, None]:
        codec = shipped_codec(settings.registry_url, connection)
        return run_evidence(config, connection, codec, health=health)

    return Process(_told(name, settings, connection, work), secrets)
