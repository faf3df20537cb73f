"""A connector's flow, its zone, and the refusal of systems that are excluded."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.contracts import interfaces, zones
from streams.contracts.catalog import Catalog
from streams.contracts.interfaces.orders import audit_entry, audit_topic
from streams.contracts.interfaces.routes import refuse_excluded, refuse_undeclared
from streams.contracts.provisioning import audit_spec
from streams.contracts.zones.tags import shipped_tags, tagged_fields
from streams.engine import Transaction, provision
from streams.errors import LotgateError, Misconfigured
from streams.runtime.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from streams.contracts.documents import Document
    from streams.contracts.interfaces import Flow, Interfaces
    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

KEPT = frozenset(
    {
        "command_id",
        "hold_id",
        "action",
        "lot_id",
        "material",
        "number",
        "target",
        "hold_version",
    }
)
"""Fields of a hold command that a target works by."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of one connector.

    Attributes:
        document: The interfaces file.
        name: The connector's name, which is its flow's.
        flow: Its flow.
    """

    document: Document[Interfaces]
    name: str
    flow: Flow


STREAM_ONLY = frozenset({"stream"})
ALL_MODES = frozenset({"stream", "batch", "manual"})


def declared(
    directory: Path | None,
    name: str,
    system: str,
    connection: KafkaConnection,
    modes: frozenset[str] = STREAM_ONLY,
) -> Declared | None:
    """The flow of a connector; None without a directory of documents.

    Args:
        directory: Where the documents lie.
        name: The connector.
        system: Its foreign system.
        connection: Where an audit entry of a refusal goes.
        modes: The modes in which the connector can run.

    Raises:
        Misconfigured: The file is wrong, the system is excluded, or the flow is not declared, or
            is to run in a mode that the connector does not have.
    """
    if directory is None:
        return None
    document = interfaces.load(directory)
    try:
        refuse_excluded(document, name, system)
    except Misconfigured as refusal:
        _record(connection, f"connector {name}", refusal)
        raise
    flow = document.value.flows[name]
    if flow.mode not in modes:
        raise Misconfigured(
            f"{document.file}:{document.line('flows', name, 'mode')}: {name} cannot run in the "
            f"mode {flow.mode}",
            code="mode_unsupported",
            kept="nothing was read or written",
            advice=f"it can run as: {', '.join(sorted(modes))}",
        )
    return Declared(document, name, flow)


def refuse_tables(found: Declared | None, tables: Iterable[str]) -> tuple[str, ...]:
    """The tables that a source may read; empty for whatever is published.

    Raises:
        Misconfigured: `undeclared_table`.
    """
    chosen = tuple(tables)
    if found is None:
        return chosen
    allowed = refuse_undeclared(found.document, found.name, chosen)
    return chosen or allowed


def policy_of(
    directory: Path | None, found: Declared | None, schema: str, key: str = ""
) -> zones.Policy | None:
    """The field policy of a sink's zone; None where it has none.

    Args:
        directory: Where the documents lie.
        found: The sink's flow.
        schema: Full name of the type of events that it gets.
        key: The key of tokens, empty for none.

    Raises:
        Misconfigured: The file is wrong, the sink has no zone, or its key is missing.
    """
    if directory is None or found is None:
        return None
    catalog = Catalog.load()
    document = zones.load(directory, catalog, found.document.value.systems)
    zone = document.value.sinks.get(found.flow.target)
    if zone is None:
        raise Misconfigured(
            f"{document.file}: system {found.flow.target} is in no zone",
            code="no_zone",
            kept="no record was read",
            advice="name its zone under sinks",
        )
    fields = tagged_fields(catalog.schema(schema), shipped_tags())
    tokens = zones.Tokens(key) if key else None
    return zones.Policy(zone, document.value.zones[zone], fields, tokens, KEPT)


def _record(connection: KafkaConnection, what: str, refusal: LotgateError) -> None:
    """Write an audit entry; a broker that is away does not turn a refusal into a wait."""
    entry = audit_entry(what, refusal.code, refusal.message, now_ms())
    topic = audit_topic(connection.prefix, connection.group)
    log.critical("%s: %s", what, refusal.message, extra={"audit": refusal.code})
    try:
        provision(connection, [audit_spec(connection)])
        with Transaction(connection, f"{connection.group}-audit") as transaction:
            transaction.begin()
            transaction.produce(topic, what.encode(), entry, ())
            transaction.commit()
    except LotgateError as failure:
        log.error("the audit entry was not written: %s", failure)  # noqa: TRY400 - no trace wanted
