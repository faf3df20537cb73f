"""`lotgate icd asyncapi`: the documented topics as AsyncAPI 3.1, on stdout."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import orjson

from streams.contracts.catalog import Catalog
from streams.contracts.icd.asyncapi import asyncapi_of, server_of
from streams.operator.icd.options import documents_in, folder_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command("asyncapi")
@folder_option
@click.option("--server", metavar="HOST:PORT", help="Address of the broker, if it is to be stated.")
@click.option("--registry", metavar="URL", help="Address of the schema registry, likewise.")
@click.option("--secure", is_flag=True, help="Clients reach the broker through TLS or passwords.")
def asyncapi(*, folder: Path, server: str | None, registry: str | None, secure: bool) -> None:
    """Print the documented topics as AsyncAPI 3.1 in JSON; it asks neither broker nor registry."""
    found = asyncapi_of(
        documents_in(folder),
        Catalog.load(),
        version("lotgate"),
        None if server is None else server_of(server, registry, secure=secure),
    )
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
