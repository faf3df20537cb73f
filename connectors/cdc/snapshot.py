"""`lotgate cdc snapshot`: read tables again while the log flows, or mend a gap in it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click
import orjson

from connectors.base import Position
from connectors.cdc.naming import named_source
from connectors.cdc.stored import NOTHING_STORED
from connectors.runner.source_position import replace_position, stored_position
from connectors.runner.source_signals import give_order
from connectors.runner.source_topics import SourceTopics
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.snapshot.orders import Kind, Order
from connectors.sources.postgres.snapshot.progress import expected_rows
from connectors.sources.postgres.snapshot.ranges import key_of
from connectors.sources.postgres.snapshot.state import RECOVER, state_of
from streams.contracts.shipped import shipped_codec
from streams.errors import Misconfigured
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from connectors.runner.source_config import SourceConfig
    from connectors.sources.postgres.snapshot.state import Run
    from streams.runtime.connection import KafkaConnection


@click.command()
@click.argument("name")
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--where", default="", help="Only rows for which this SQL condition holds.")
@click.option("--pause", "kind", flag_value="pause", help="Let the running snapshot wait.")
@click.option("--resume", "kind", flag_value="resume", help="Let it go on.")
@click.option("--stop", "kind", flag_value="stop", help="Give it up, or its TABLEs alone.")
@click.option("--status", is_flag=True, help="Say how far it is. Exit code 3 if none is running.")
@click.option("--recover", is_flag=True, help="After a lost slot: begin again, deletes included.")
@click.option("--json", "as_json", is_flag=True, help="With --status: JSON on stdout.")
@click.option("--yes", is_flag=True, help="With --recover: do not ask.")
@click.pass_context
def snapshot(  # noqa: PLR0913 - each is an option of the command
    ctx: click.Context,
    name: str,
    tables: tuple[str, ...],
    where: str,
    kind: Kind | None,
    *,
    status: bool,
    recover: bool,
    as_json: bool,
    yes: bool,
) -> None:
    """Read TABLEs of source NAME again, while their changes go on flowing.

    TABLE is schema.table, as published; it needs a primary key. The running source obeys; nothing
    is written to its database. Rows come as op r with source.snapshot `incremental`, each in its
    place among the changes of its key. A source that does not run obeys at its next start.

    --recover is for a source that refuses to start because its slot was lost: the next start makes
    a new slot, tells a delete for every key that its topics have and its tables have not, and reads
    the tables. Not recovered: what changed and changed back in between, deletes of rows that the
    topics no longer keep or that have no key, and deletes for translators.

    \b
    lotgate cdc snapshot erp-cdc public.stock_lot --where "write_date > '2026-01-01'"
    lotgate cdc snapshot erp-cdc --status
    """  # noqa: D301 - click reads the backspace
    place = _source(name)
    if status:
        _show(ctx, place, name, as_json=as_json)
    elif recover:
        _recover(ctx, place, name, yes=yes)
    else:
        order = _order(place[2], tables, where, kind)
        give_order(*place, order.encode())
        click.echo(f"{name}: {order.kind} {', '.join(order.tables)}".rstrip())


def _source(name: str) -> tuple[KafkaConnection, SourceTopics, SourceConfig]:
    config, settings = named_source(name)
    connection = settings.connection()
    registry = shipped_codec(settings.registry_url, connection).registry
    topics = SourceTopics(config, connection, registry)
    topics.prepare()
    return connection, topics, config


def _order(config: SourceConfig, tables: tuple[str, ...], where: str, kind: Kind | None) -> Order:
    if kind is not None:
        return Order(kind, tables if kind == "stop" else ())
    if not tables:
        raise click.UsageError("name the tables to be read, or use one of the options")
    with closing(Catalog(config.dsn)) as catalog:
        published = {table.name: table for table in catalog.published(config.publication)}
        for table in tables:
            if table not in published:
                raise _refused(
                    table,
                    f"is not in publication {config.publication}",
                    f"use one of: {', '.join(sorted(published))}",
                )
            if not key_of(catalog, published[table]):
                raise _refused(
                    table,
                    "has no primary key, by which its rows could be read in parts",
                    "give it one; or forget the source's position for a new snapshot of all",
                )
    return Order("execute", tables, tuple((table, where) for table in tables if where))


def _refused(table: str, why: str, advice: str) -> Misconfigured:
    return Misconfigured(
        f"Table {table} {why}",
        code="snapshot_table",
        kept="nothing was ordered",
        advice=advice,
    )


def _show(
    ctx: click.Context,
    place: tuple[KafkaConnection, SourceTopics, SourceConfig],
    name: str,
    *,
    as_json: bool,
) -> None:
    found = stored_position(*place)
    state = state_of(None if found is None else found.fields.get("snapshot"))
    if as_json:
        told = [{**_facts(run), "paused": state.paused} for run in state.runs]
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    for run in state.runs if not as_json else ():
        facts = _facts(run)
        left = facts["seconds_left"]
        click.echo(
            f"{name}: {run.mode} snapshot {run.label}, "
            f"{run.rows:,} of about {facts['expected']:,} rows, {facts['rows_per_s']:,.0f} rows/s"
            + (f", about {left:,.0f} s left" if left is not None else "")
            + (", paused" if state.paused else "")
        )
        for table in run.tables:
            condition = f" where {table.where}" if table.where else ""
            click.echo(
                f"    {table.name}{condition}: {table.rows:,} of about {table.expected:,} rows"
            )
    if not state.runs:
        if not as_json:
            click.echo(f"{name} reads no snapshot", err=True)
        ctx.exit(NOTHING_STORED)


def _facts(run: Run) -> Mapping[str, Any]:
    """How far a run is by its stored state; its rate is that since its beginning."""
    seconds = max((clock.now_ms() - run.started_ms) / 1000, 0.001)
    rate, expected = run.rows / seconds, expected_rows(run)
    return {
        "mode": run.mode,
        "label": run.label,
        "rows": run.rows,
        "expected": expected,
        "rows_per_s": rate,
        "seconds_left": (expected - run.rows) / rate if rate else None,
        "tables": [
            {"table": table.name, "where": table.where, "rows": table.rows} for table in run.tables
        ],
    }


def _recover(
    ctx: click.Context,
    place: tuple[KafkaConnection, SourceTopics, SourceConfig],
    name: str,
    *,
    yes: bool,
) -> None:
    found = stored_position(*place)
    if found is None:
        click.echo(f"{name} has no stored position; its next start takes a snapshot", err=True)
        ctx.exit(NOTHING_STORED)
    if not yes:
        click.confirm(
            f"Give up the slot of {name} and read its tables again at its next start?", abort=True
        )
    replace_position(*place, Position({**found.fields, "phase": RECOVER, "snapshot": {}}))
    click.echo(f"{name}: its next start makes a new slot and mends the gap")
