"""`lotgate topology`: the topics of the main job, planned or created; never shrunk or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from streams.app import installation_of
from streams.engine import provision
from streams.operator.answers.tooling import tool_settings

if TYPE_CHECKING:
    from streams.contracts.topic_specs import TopicSpec
    from streams.runtime.connection import KafkaConnection


@click.group()
def topology() -> None:
    """The topics of the main job."""


@topology.command("plan")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@click.pass_context
def plan(ctx: click.Context, *, as_json: bool) -> None:
    """List every topic, and which are missing. Exit code 4 if any is."""
    connection, specs = _wanted(ctx)
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
@click.pass_context
def apply(ctx: click.Context) -> None:
    """Create the topics that are missing; existing ones are left as they are."""
    connection, specs = _wanted(ctx)
    made = provision(connection, specs)
    click.echo(f"{len(made)} topics created, {len(specs) - len(made)} were there")


def _wanted(ctx: click.Context) -> tuple[KafkaConnection, tuple[TopicSpec, ...]]:
    connection = tool_settings(ctx).connection()
    return connection, installation_of(connection)
