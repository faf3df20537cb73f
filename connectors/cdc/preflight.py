"""`lotgate cdc preflight`: everything that would go wrong, in one list, with its SQL."""

from __future__ import annotations

import shutil
import textwrap
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
import orjson

from connectors.cdc.naming import named_source
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.database.preflight import everything
from connectors.sources.postgres.names import place_of

if TYPE_CHECKING:
    from connectors.sources.postgres.checks.finding import Finding

FOUND = 4
WIDEST = 100
COLOURS = {"error": "red", "warning": "yellow"}


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
@click.pass_context
def preflight(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """List everything that would go wrong with source NAME, each with the SQL that mends it.

    Nothing is changed, and the broker is not needed. A source makes the same checks at its start
    and refuses on an error; warnings are told only. Exit code 4 if there is an error, 5 if the
    database cannot be reached.
    """
    config, settings = named_source(name)
    with closing(Catalog(config.dsn)) as catalog:
        found = everything(catalog, config.postgres(settings.prefix))
    if as_json:
        click.echo(orjson.dumps([asdict(each) for each in found], option=orjson.OPT_INDENT_2))
    else:
        _show(name, place_of(config.dsn), found)
    if any(each.severity == "error" for each in found):
        ctx.exit(FOUND)


def _show(name: str, where: str, found: list[Finding]) -> None:
    errors = sum(1 for each in found if each.severity == "error")
    warnings = len(found) - errors
    click.echo(f"{name} at {where}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
    width = min(shutil.get_terminal_size((WIDEST, 0)).columns, WIDEST)
    for each in found:
        click.echo()
        severity = click.style(f"{each.severity:<8}", fg=COLOURS[each.severity], bold=True)
        click.echo(f"{severity} {each.subject}  ({each.code})")
        text = f"{each.text}{':' if each.sql else '.'}"
        for line in textwrap.wrap(text, width - 4, break_long_words=False):
            click.echo(f"    {line}")
        # Whole, however wide: it is there to be copied.
        if each.sql:
            click.echo(f"    {click.style(each.sql, fg='cyan')}")


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
