"""`lotgate cdc`: look at a source's stored position, or forget it for a new snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from connectors.registry import connector_of, source_config
from connectors.runner.source_position import forget_position, stored_position
from connectors.runner.source_topics import SourceTopics
from streams.contracts.shipped import shipped_codec
from streams.errors import Misconfigured
from streams.runtime.settings import SourceSettings, load

if TYPE_CHECKING:
    from connectors.runner.source_config import SourceConfig
    from streams.runtime.connection import KafkaConnection

NOTHING_STORED = 3


@click.group()
def cdc() -> None:
    """Positions of sources. Reads the same LOTGATE_ variables as `lotgate connect <name>`."""


@cdc.command("position")
@click.argument("name")
@click.pass_context
def position(ctx: click.Context, name: str) -> None:
    """Print where a source goes on. Exit code 3 if it has no position."""
    found = stored_position(*_source(name))
    if found is None:
        click.echo(f"{name} has no stored position; its next start takes a snapshot", err=True)
        ctx.exit(NOTHING_STORED)
    click.echo(orjson.dumps(dict(found.fields)))


@cdc.command("forget")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def forget(ctx: click.Context, name: str, *, yes: bool) -> None:
    """Forget a source's position, so that its next start takes a new snapshot.

    Changes between the old position and the new snapshot are seen as rows, not as events, and a
    snapshot never starts a hold. The slot is left alone; drop it in the database first.
    Prints the position that was forgotten.
    """
    if not yes:
        click.confirm(f"Forget the position of {name}?", abort=True)
    found = forget_position(*_source(name))
    if found is None:
        click.echo(f"{name} had no stored position", err=True)
        ctx.exit(NOTHING_STORED)
    click.echo(orjson.dumps(dict(found.fields)))


def _source(name: str) -> tuple[KafkaConnection, SourceTopics, SourceConfig]:
    connector = connector_of(name)
    if connector.kind != "source":
        raise Misconfigured(
            f"{name} reads no database", code="not_a_source", advice="use erp-cdc or qms-cdc"
        )
    settings = load(SourceSettings)
    config, connection = source_config(connector, settings), settings.connection()
    registry = shipped_codec(settings.registry_url, connection).registry
    return connection, SourceTopics(config, connection, registry), config
