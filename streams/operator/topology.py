"""`lotgate topology`: the topics of a job, planned or created; never shrunk or deleted.

`topology check` judges the routes between systems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from streams.app import installation_of, topics_of
from streams.contracts.interfaces.routes import route_findings
from streams.contracts.topics import PUBLIC
from streams.engine import describe, provision
from streams.operator.answers.apps import app_option, imported, settings_for
from streams.operator.flows import gathering
from streams.runtime.clock import now

if TYPE_CHECKING:
    from pathlib import Path

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


@topology.command("check")
@gathering.folder_option
@click.option("--live", is_flag=True, help="Also look at the broker's topics and groups.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@click.pass_context
def check(ctx: click.Context, *, folder: Path, live: bool, as_json: bool) -> None:
    """Find routes past the hub, topics nobody reads or wants, excluded systems in use.

    A waiver in interfaces.yaml excuses a finding until its last day. Exit code 4 if any is left.
    """
    document = gathering.interfaces_in(folder)
    names = [topic.name for topic in PUBLIC]
    if live:
        connection = settings_for(ctx, None).connection()
        document = gathering.as_named(document, connection.group)
        shown, internal = gathering.live_in(connection), gathering.internal_of(connection)
        found = route_findings(document, names, now().date(), shown, internal)
    else:
        found = route_findings(document, names, now().date())
    if as_json:
        click.echo(orjson.dumps(found))
    else:
        for each in found:
            click.echo(f"{each.kind:<16} {each.text}")
    if any(each.kind != "idle_group" for each in found):
        ctx.exit(4)


def _wanted(ctx: click.Context, place: str | None) -> tuple[KafkaConnection, tuple[TopicSpec, ...]]:
    app = imported(place) if place is not None else None
    connection = settings_for(ctx, app).connection()
    if app is None:
        return connection, installation_of(connection)
    inputs = [stage.topic.full_name(connection.prefix, connection.group) for stage in app.stages]
    existing = {name: facts.partitions for name, facts in describe(connection, inputs).items()}
    return connection, topics_of(app, connection, existing)
