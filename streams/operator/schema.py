"""`lotgate schema`: check the shipped schemas against a live registry, or publish them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streams.app import main_job, schemas_of
from streams.operator.answers.tooling import codec_of, tool_settings

if TYPE_CHECKING:
    from streams.contracts.codec import Codec


@click.group()
def schema() -> None:
    """The Avro schemas of the main job."""


@schema.command("check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Say what the registry has and what it would refuse. Exit code 4 on any difference."""
    settings = tool_settings(ctx)
    with codec_of(settings, settings.connection()) as codec:
        wrong = _differences(codec)
    if wrong:
        ctx.exit(4)


def _differences(codec: Codec) -> int:
    wrong = 0
    level = codec.registry.level()
    if level != "FULL_TRANSITIVE":
        wrong += 1
        click.echo(f"WRONG    the registry's level is {level}, it must be FULL_TRANSITIVE")
    for topic in schemas_of(main_job()):
        subject, wanted = codec.subject(topic), codec.schema(topic)
        if codec.registry.lookup(subject, wanted) is not None:
            click.echo(f"there    {subject}")
            continue
        wrong += 1
        fits = codec.registry.compatible(subject, wanted)
        click.echo(f"{'missing ' if fits else 'REFUSED '} {subject}")
    return wrong


@schema.command("publish")
@click.pass_context
def publish(ctx: click.Context) -> None:
    """Register every schema that the registry does not have; safe to repeat."""
    settings, topics = tool_settings(ctx), schemas_of(main_job())
    with codec_of(settings, settings.connection()) as codec:
        codec.prepare(topics, register=True)
    click.echo(f"{len(topics)} subjects are registered")
