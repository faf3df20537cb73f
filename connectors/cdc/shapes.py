"""`lotgate cdc shapes`: what a source's tables looked like, and which wait for the registry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from connectors.cdc.naming import named_source
from connectors.runner.contract.differences import differences
from connectors.runner.source_topics import SourceTopics
from streams.contracts.shipped import shipped_codec

if TYPE_CHECKING:
    from connectors.runner.contract.history import History, Version
    from connectors.runner.contract.parking import Parked

WAITING = 4


@click.command()
@click.argument("name")
@click.option("--table", default="", help="Only this table, as schema.table.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on stdout.")
@click.pass_context
def shapes(ctx: click.Context, name: str, table: str, *, as_json: bool) -> None:
    """List what the tables of source NAME looked like, since when, and which tables wait.

    A table waits while the registry refuses its schema; its rows are kept in order and follow by
    themselves. Nothing is changed. Exit code 4 if a table waits.
    """
    config, settings = named_source(name)
    connection = settings.connection()
    registry = shipped_codec(settings.registry_url, connection).registry
    contract = SourceTopics(config, connection, registry).contract
    contract.look()
    found = [each for each in contract.history.all() if table in ("", each.shape.table)]
    waiting = [each for each in contract.parking.tables if table in ("", each.table)]
    if as_json:
        click.echo(orjson.dumps(_data(found, waiting), option=orjson.OPT_INDENT_2))
    else:
        _show(name, contract.history, found, waiting)
    if waiting:
        ctx.exit(WAITING)


def _data(found: list[Version], waiting: list[Parked]) -> dict[str, Any]:
    return {"shapes": found, "waiting": waiting}


def _show(name: str, history: History, found: list[Version], waiting: list[Parked]) -> None:
    if not found:
        click.echo(f"{name} has stored no shapes yet")
    for version in found:
        old = history.before(version)
        what = "seen for the first time"
        if old is not None:
            told = (each.words for each in differences(old.shape, version.shape))
            what = "; ".join(told) or "its columns are written in another way"
        click.echo(f"{version.shape.table}  version {version.number}: {what}")
        click.echo(f"  from {version.first_event} on")
    for parked in waiting:
        since = datetime.fromtimestamp(parked.since_ms / 1000, UTC).isoformat(timespec="seconds")
        click.secho(f"{parked.table} waits since {since}", fg="yellow", bold=True)
        click.echo(
            f"  {parked.records:,} records, {parked.bytes:,} bytes in {parked.topic}'s order"
        )
        click.echo(f"  {parked.reason}")
