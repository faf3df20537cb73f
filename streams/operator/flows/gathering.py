"""What these commands share: the documents, and what the broker shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.app import installation_of
from streams.contracts import interfaces, ownership, zones
from streams.contracts.catalog import Catalog
from streams.contracts.interfaces.register import named
from streams.contracts.interfaces.routes import Live
from streams.contracts.provisioning import audit_spec, releases_spec
from streams.contracts.topics import (
    CDC_HISTORY,
    CDC_OFFSETS,
    CDC_PARKED,
    CDC_SIGNALS,
    CONTROL,
    INTERNAL,
    PUBLIC,
)
from streams.engine import group_topics, topic_partitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.documents import Document
    from streams.contracts.interfaces import Interfaces
    from streams.contracts.ownership import Ownership
    from streams.contracts.zones import Zones
    from streams.runtime.connection import KafkaConnection

FOLDER = Path("deploy/contracts")
KNOWN = (
    *(topic.name for topic in (*PUBLIC, *INTERNAL)),
    *(CDC_OFFSETS, CDC_HISTORY, CDC_PARKED, CDC_SIGNALS, CONTROL),
    "masterdata.conflict.events",
)
"""Topics that a flow may name; those of tables and dead letters are known by their form."""

folder_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--contracts",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    envvar="LOTGATE_CONTRACTS",
    help="Directory of interfaces.yaml, ownership.yaml and zones.yaml.",
)


def interfaces_in(folder: Path) -> Document[Interfaces]:
    """Read the interfaces file.

    Raises:
        Misconfigured: It is wrong; file and line are named.
    """
    return interfaces.load(folder, KNOWN)


def zones_in(folder: Path, systems: Interfaces) -> Document[Zones]:
    """Read the zones file; see `interfaces_in`."""
    return zones.load(folder, Catalog.load(), systems.systems)


def ownership_in(folder: Path, systems: Interfaces) -> Document[Ownership]:
    """Read the ownership file; see `interfaces_in`."""
    return ownership.load(folder, Catalog.load(), systems.systems)


def as_named(document: Document[Interfaces], group: str) -> Document[Interfaces]:
    """The document with the names that the group has on the broker."""
    return replace(document, value=named(document.value, group))


def live_in(connection: KafkaConnection) -> Live:
    """What of this installation the broker shows, names without prefix.

    Raises:
        Transient: The broker does not answer.
    """
    start = f"{connection.prefix}." if connection.prefix else ""
    topics = topic_partitions(connection)
    groups = group_topics(connection)
    return Live(
        frozenset(name.removeprefix(start) for name in topics if name.startswith(start)),
        {
            group.removeprefix(start): frozenset(topic.removeprefix(start) for topic in read)
            for group, read in groups.items()
            if group.startswith(start)
        },
    )


def internal_of(connection: KafkaConnection) -> frozenset[str]:
    """Topics that belong to the installation, without prefix."""
    start = f"{connection.prefix}." if connection.prefix else ""
    specs = (*installation_of(connection), releases_spec(connection), audit_spec(connection))
    return frozenset(spec.name.removeprefix(start) for spec in specs)
