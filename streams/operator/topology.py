"""`lotgate topology`: the topics of a job, planned or created; never shrunk or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from streams.app import installation_of, topics_of
from streams.engine import describe, provision
from streams.operator.answers.apps import app_option, imported, settings_for

if TYPE_CHECKING:
    from streams.contracts.topic_specs import TopicSpec
    from streams.runtime.connection import KafkaConnection


@click.group()
def topology() -> None:
    """The topics of the main job, or of your own app."""


@topology.command("plan")
@app_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@click.pass_context
def plan(ctx: click.Context, *, place: str | None, as_json: bool) -> None:
    """List every topic, and which are missing. Exit code 4 if any is."""
    connection, specs = _wanted(ctx, place)
    missing = set(provision(connection, specs, create=False))
    if as_json:
        rows = [
            {
                "name": spec.name,
                "partitions": spec.partitions,
                "replication_factor": spec.replication_factor,
                "config": dict(spec.config),
                "missing": spec.name in missing,
            }
            for spec in specs
        ]
        click.echo(orjson.dumps(rows))
    else:
        for spec in specs:
            policy = spec.config.get("cleanup.policy", "delete")
            state = "missing" if spec.name in missing else "there"
            click.echo(f"{state:<8} {spec.name} ({spec.partitions} partitions, {policy})")
    if missing:
        ctx.exit(4)


@topology.command("apply")
@app_option
@click.pass_context
def apply(ctx: click.Context, *, place: str | None) -> None:
    """Create the topics that are missing; existing ones are left as they are."""
    connection, specs = _wanted(ctx, place)
    made = provision(connection, specs)
    click.echo(f"{len(made)} topics created, {len(specs) - len(made)} were there")


def _wanted(ctx: click.Context, place: str | None) -> tuple[KafkaConnection, tuple[TopicSpec, ...]]:
    app = imported(place) if place is not None else None
    connection = settings_for(ctx, app).connection()
    if app is None:
        return connection, installation_of(connection)
    inputs = [stage.topic.full_name(connection.prefix, connection.group) for stage in app.stages]
    existing = {name: facts.partitions for name, facts in describe(connection, inputs).items()}
    return connection, topics_of(app, connection, existing)
