"""`lotgate schema`: check the shipped schemas against a live registry, or publish them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from streams.app import main_job, schemas_of
from streams.operator.answers.tooling import codec_of, tool_settings

if TYPE_CHECKING:
    from streams.contracts.codec import Codec
    from streams.contracts.topics import Topic


@click.group()
def schema() -> None:
    """The Avro schemas of the main job."""


@schema.command("check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Say what the registry has and what it would refuse. Exit code 4 on any difference."""
    codec, topics = _shipped(ctx)
    wrong = 0
    level = codec.registry.level()
    if level != "FULL_TRANSITIVE":
        wrong += 1
        click.echo(f"WRONG    the registry's level is {level}, it must be FULL_TRANSITIVE")
    for topic in topics:
        subject, wanted = codec.subject(topic), codec.schema(topic)
        if codec.registry.lookup(subject, wanted) is not None:
            click.echo(f"there    {subject}")
            continue
        wrong += 1
        fits = codec.registry.compatible(subject, wanted)
        click.echo(f"{'missing ' if fits else 'REFUSED '} {subject}")
    if wrong:
        ctx.exit(4)


@schema.command("publish")
@click.pass_context
def publish(ctx: click.Context) -> None:
    """Register every schema that the registry does not have; safe to repeat."""
    codec, topics = _shipped(ctx)
    codec.prepare(topics, register=True)
    click.echo(f"{len(topics)} subjects are registered")


def _shipped(ctx: click.Context) -> tuple[Codec, tuple[Topic[Any], ...]]:
    settings = tool_settings(ctx)
    return codec_of(settings, settings.connection()), schemas_of(main_job())
