"""`lotgate schema`: check the schemas of a job against a live registry, or publish them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from streams.app import main_job, schemas_of
from streams.contracts.registry import FULL_TRANSITIVE
from streams.operator.answers.apps import app_option, imported, settings_for
from streams.operator.answers.tooling import as_json, codec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.contracts.codec import Codec
    from streams.contracts.topics import Topic
    from streams.runtime.settings import ToolSettings


@click.group()
def schema() -> None:
    """The Avro schemas of the main job, or of your own app."""


@schema.command("check")
@app_option
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def check(ctx: click.Context, *, place: str | None, json_wanted: bool) -> None:
    """Say what the registry has and what it would refuse. Exit code 4 on any difference."""
    settings, topics = _meant(ctx, place)
    with codec_of(settings, settings.connection()) as codec:
        level = codec.registry.level()
        subjects = list(_states(codec, topics))
    if json_wanted:
        click.echo(as_json({"level": level, "wanted_level": FULL_TRANSITIVE, "subjects": subjects}))
    else:
        if level != FULL_TRANSITIVE:
            click.echo(f"WRONG    the registry's level is {level}, it must be {FULL_TRANSITIVE}")
        for each in subjects:
            state = "REFUSED" if each["state"] == "refused" else each["state"]
            click.echo(f"{state:<8} {each['subject']}")
    if level != FULL_TRANSITIVE or any(each["state"] != "there" for each in subjects):
        ctx.exit(4)


@schema.command("publish")
@app_option
@click.pass_context
def publish(ctx: click.Context, *, place: str | None) -> None:
    """Register every schema that the registry does not have; safe to repeat."""
    settings, topics = _meant(ctx, place)
    with codec_of(settings, settings.connection()) as codec:
        codec.prepare(topics, register=True)
    click.echo(f"{len(topics)} subjects are registered")


def _meant(ctx: click.Context, place: str | None) -> tuple[ToolSettings, tuple[Topic[Any], ...]]:
    app = imported(place) if place is not None else None
    return settings_for(ctx, app), schemas_of(main_job() if app is None else app)


def _states(codec: Codec, topics: tuple[Topic[Any], ...]) -> Iterator[dict[str, Any]]:
    """Give each subject with its state: there (with its id), missing or refused."""
    for topic in topics:
        subject, wanted = codec.subject(topic), codec.schema(topic)
        found = codec.registry.lookup(subject, wanted)
        if found is not None:
            yield {"subject": subject, "state": "there", "id": found}
            continue
        fits = codec.registry.compatible(subject, wanted)
        yield {"subject": subject, "state": "missing" if fits else "refused", "id": None}
