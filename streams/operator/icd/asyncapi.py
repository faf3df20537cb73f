"""`lotgate icd asyncapi`: the documented topics as AsyncAPI 3.1, on stdout."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import orjson

from streams.contracts.catalog import Catalog
from streams.contracts.icd.asyncapi import asyncapi_of
from streams.operator.answers.tooling import tool_settings
from streams.operator.icd.options import documents_in, folder_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command("asyncapi")
@folder_option
@click.pass_context
def asyncapi(ctx: click.Context, /, *, folder: Path) -> None:
    """Print the documented topics as AsyncAPI 3.1 in JSON; it asks neither broker nor registry."""
    settings = tool_settings(ctx)
    connection = settings.connection()
    first = connection.bootstrap.split(",", maxsplit=1)[0]
    security = connection.security.get("security.protocol", "PLAINTEXT")
    protocol = "kafka" if security == "PLAINTEXT" else "kafka-secure"
    found = asyncapi_of(
        documents_in(folder),
        Catalog.load(),
        version("lotgate"),
        (first, settings.registry_url, protocol),
    )
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
