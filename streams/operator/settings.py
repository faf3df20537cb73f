"""`lotgate settings`: every variable that some process reads."""

from __future__ import annotations

import click
import orjson

from streams.runtime.settings import described


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
def settings(*, as_json: bool) -> None:
    """List every LOTGATE_ variable: who reads it, its default, what it means."""
    rows = described()
    if as_json:
        keys = ("variable", "processes", "default", "meaning")
        click.echo(orjson.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
        return
    width = max(len(row[0]) for row in rows)
    for name, processes, default, meaning in rows:
        click.echo(f"{name:<{width}}  {meaning} [{processes}; default: {default or 'empty'}]")
