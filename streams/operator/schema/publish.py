"""`lotgate schema publish`: give the registry what it does not have, and the level to keep it."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from streams.contracts.evolution.levels import Level
from streams.contracts.evolution.publishing import publish_all
from streams.operator.answers.apps import app_option
from streams.operator.answers.tooling import as_json, codec_of
from streams.operator.schema.options import contracts_at, json_option, level_option, meant


@click.command("publish")
@app_option
@level_option
@json_option
@click.pass_context
def publish(ctx: click.Context, *, place: str | None, level: str, json_wanted: bool) -> None:
    """Register every schema that the registry does not have; safe to repeat.

    Each subject gets the level, so that other writers are judged too. A level that is weaker than
    the present one is refused, and if one schema is refused, none is registered.
    """
    settings, topics, readers = meant(ctx, place)
    contracts = contracts_at(None, ())
    contracts = dataclasses.replace(contracts, consumers=(*contracts.consumers, *readers))
    with codec_of(settings, settings.connection()) as codec:
        wanted: dict[str, Any] = {codec.subject(topic): codec.schema(topic) for topic in topics}
        done = publish_all(codec.registry, wanted, Level(level.upper()), contracts.explained)
    if json_wanted:
        click.echo(as_json({"subjects": [dataclasses.asdict(each) for each in done]}))
        return
    new, raised = sum(each.registered for each in done), sum(each.level_set for each in done)
    click.echo(f"{len(done)} subjects are registered ({new} new, {raised} levels set)")
