"""`lotgate cdc grants`: the SQL of a role with only what a source needs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import click

from connectors.cdc.naming import named_source
from connectors.sources.postgres.checks.publication import required
from connectors.sources.postgres.database import grants as database
from connectors.sources.postgres.database.catalog import Catalog


@click.command()
@click.argument("name")
@click.option("--role", default="", help="The role; default lotgate_<source id>.")
@click.option("--publication", default="", help="Default: LOTGATE_SOURCE_PUBLICATION.")
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="SCHEMA.TABLE",
    help="A table to carry; may be repeated. Default: those of the publication and the settings.",
)
def grants(name: str, role: str, publication: str, tables: tuple[str, ...]) -> None:
    """Print the SQL of a role that may do what source NAME does, and nothing else.

    The database is only looked at. Columns that the field policy drops are left out of the rights,
    and of a publication that is made here. Review it, then run it as the administrator.

    \b
    lotgate cdc grants erp-cdc --table public.stock_lot | psql -d erp
    """  # noqa: D301 - click reads the backspace
    config, settings = named_source(name)
    source = config.postgres(settings.prefix)
    if publication:
        source = replace(source, publication=publication)
    with closing(Catalog(config.dsn)) as catalog:
        wanted = list(dict.fromkeys((*required(source), *tables)))
        for line in database.grants(catalog, source, role or f"lotgate_{source.source}", wanted):
            click.echo(line)
