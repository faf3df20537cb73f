"""`lotgate cdc position` and `forget`: a source's stored position, seen or forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from connectors.cdc.naming import named_source
from connectors.runner.source_position import forget_position, stored_position
from connectors.runner.source_topics import SourceTopics
from streams.contracts.shipped import shipped_codec

if TYPE_CHECKING:
    from connectors.runner.source_config import SourceConfig
    from streams.runtime.connection import KafkaConnection

NOTHING_STORED = 3


@click.command()
@click.argument("name")
@click.pass_context
def position(ctx: click.Context, name: str) -> None:
    """Print where a source goes on. Exit code 3 if it has no position."""
    found = stored_position(*_source(name))
    if found is None:
        click.echo(f"{name} has no stored position; its next start takes a snapshot", err=True)
        ctx.exit(NOTHING_STORED)
    click.echo(orjson.dumps(dict(found.fields)))


@click.command()
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
    config, settings = named_source(name)
    connection = settings.connection()
    registry = shipped_codec(settings.registry_url, connection).registry
    return connection, SourceTopics(config, connection, registry), config
