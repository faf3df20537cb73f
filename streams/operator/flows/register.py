"""`lotgate flows`: the register of data flows, and what the broker has that is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from streams.contracts.catalog import Catalog
from streams.contracts.interfaces.register import Entry, register
from streams.contracts.interfaces.routes import route_findings
from streams.contracts.topics import INTERNAL, PUBLIC
from streams.contracts.zones.tags import shipped_tags, tagged_fields
from streams.operator.answers.tooling import tool_settings
from streams.operator.flows import gathering
from streams.runtime.clock import now

if TYPE_CHECKING:
    from pathlib import Path

    from streams.contracts.interfaces.routes import Finding
    from streams.contracts.zones import TaggedField

_LIVE = ("unknown_topic", "unknown_group", "direct_route", "idle_group")


@click.command()
@gathering.folder_option
@click.option("--live", is_flag=True, help="Also compare with the broker's topics and groups.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def flows(ctx: click.Context, *, folder: Path, live: bool, as_json: bool) -> None:
    """List every data flow with the tagged fields it carries.

    With --live: exit code 4 if the broker shows a topic or a group that no flow declares.
    """
    document = gathering.interfaces_in(folder)
    zones = gathering.zones_in(folder, document.value)
    entries = register(document.value, zones.value, fields_by_topic())
    strange: tuple[Finding, ...] = ()
    if live:
        connection = tool_settings(ctx).connection()
        found = route_findings(
            gathering.as_named(document, connection.group),
            (),
            now().date(),
            gathering.live_in(connection),
            gathering.internal_of(connection),
        )
        strange = tuple(each for each in found if each.kind in _LIVE)
    if as_json:
        told = {"flows": entries, "strange": strange}
        click.echo(orjson.dumps(told, default=list))
    else:
        _print(entries)
        for each in strange:
            click.echo(f"{each.kind:<14} {each.text}")
    if any(each.kind != "idle_group" for each in strange):
        ctx.exit(4)


def fields_by_topic() -> dict[str, tuple[TaggedField, ...]]:
    """The fields of every declared topic's events."""
    catalog, stated = Catalog.load(), shipped_tags()
    return {
        topic.name: tagged_fields(catalog.schema(str(topic.schema)), stated)
        for topic in (*PUBLIC, *INTERNAL)
    }


def _print(entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        zone = f", zone {entry.zone}" if entry.zone else ""
        click.echo(f"{entry.flow}: {entry.source} -> {entry.target} ({entry.mode}{zone})")
        for topic in entry.topics:
            click.echo(f"  topic {topic}")
        for field in entry.fields:
            click.echo(f"  field {field}")
