"""`lotgate dlq`: look at dead letters and decide on them."""

from __future__ import annotations

from pathlib import Path

import click

from streams.contracts.topics import prefixed
from streams.engine import control
from streams.engine.kafka.topics import topic_partitions
from streams.operator.answers import dead_letters, deciding
from streams.operator.answers.decision_options import (
    DRY_RUN,
    JSON,
    REASON,
    actor_option,
    answer,
)
from streams.operator.answers.decoding import shown
from streams.operator.answers.tooling import NotFound, as_json, codec_of, moment, tool_settings
from streams.operator.dlq_edit import edit
from streams.runtime.clock import now


@click.group()
def dlq() -> None:
    """List, show, correct, replay or drop dead letters.

    \b
    lotgate dlq list --since 1d
    lotgate dlq show dlq.lotgate/0/17
    lotgate dlq replay dlq.lotgate/0/17 --reason "schema published"
    lotgate dlq edit dlq.lotgate/0/17 --set limit=10 --reason "typo, confirmed by the laboratory"
    lotgate dlq fuse reset inventory.lot.events 2 --reason "new translator"

    Decisions are records of the group's control topic, with actor and reason; dead letters
    themselves are never changed. Exit codes: 3 not found, 5 unreachable.
    """  # noqa: D301 - click reads the backspace


@dlq.command("list")
@click.option("--since", help="From this age (90s, 10m, 2h, 1d) or ISO 8601 time on.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@click.option(
    "--waiting",
    is_flag=True,
    help="Also say which are open and how many records wait behind each; reads the changelogs.",
)
@JSON
@click.pass_context
def list_letters(
    ctx: click.Context, *, since: str | None, limit: int, waiting: bool, json_wanted: bool
) -> None:
    """List the newest dead letters of the worker and the connectors."""
    connection = tool_settings(ctx).connection()
    since_ms = int(moment(since, now()).timestamp() * 1000) if since else None
    letters = dead_letters.listed(connection, since_ms, limit, waiting=waiting)
    if json_wanted:
        click.echo(as_json(letters))
        return
    if not letters:
        click.echo(f"no dead letters in group {connection.group}")
    for letter in letters:
        click.echo(f"{letter.place}  {letter.at}  [{letter.code}] {letter.stage}")
        click.echo(f"  from {letter.came_from}  key={letter.key}")
        click.echo(f"  {letter.message}")
        if letter.is_open is not None:
            state = f"open, {letter.waiting} wait behind it" if letter.is_open else "closed"
            click.echo(f"  {state}")
        if letter.decided:
            click.echo(f"  decided: {letter.decided}")


@dlq.command("show")
@click.argument("place")
@JSON
@click.pass_context
def show(ctx: click.Context, place: str, *, json_wanted: bool) -> None:
    """Show the dead letter at PLACE: its story, and its bytes as far as they can be decoded."""
    settings = tool_settings(ctx)
    connection = settings.connection()
    record = dead_letters.found(connection, place)
    with codec_of(settings, connection) as codec:
        view = shown(record, codec.decode_any)
    click.echo(as_json(view) if json_wanted else view.text())


@dlq.command("replay")
@click.argument("place")
@REASON
@actor_option
@click.option(
    "--value-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Corrected bytes instead of the original ones.",
)
@DRY_RUN
@JSON
@click.pass_context
def replay(  # noqa: PLR0913 - one parameter per option
    ctx: click.Context,
    place: str,
    *,
    reason: str,
    actor: str,
    value_file: Path | None,
    dry_run: bool,
    json_wanted: bool,
) -> None:
    """Try the dead letter at PLACE again, once."""
    connection = tool_settings(ctx).connection()
    letter = dead_letters.found(connection, place)
    value = value_file.read_bytes() if value_file is not None else None
    done = "nothing: dry run"
    if not dry_run:
        done = deciding.replay(connection, letter, actor=actor, reason=reason, value=value)
    answer("replay", place, actor, reason, done, json_wanted=json_wanted)


@dlq.command("drop")
@click.argument("place")
@REASON
@actor_option
@DRY_RUN
@JSON
@click.pass_context
def drop(
    ctx: click.Context, place: str, *, reason: str, actor: str, dry_run: bool, json_wanted: bool
) -> None:
    """Give the dead letter at PLACE up; what waits behind it goes on."""
    connection = tool_settings(ctx).connection()
    letter = dead_letters.found(connection, place)
    done = "nothing: dry run"
    if not dry_run:
        done = deciding.drop(connection, letter, actor=actor, reason=reason)
    answer("drop", place, actor, reason, done, json_wanted=json_wanted)


@dlq.group("fuse")
def fuse() -> None:
    """The fuse that stops a partition with too many dead letters."""


@fuse.command("reset")
@click.argument("topic")
@click.argument("partition", type=click.IntRange(0))
@REASON
@actor_option
@DRY_RUN
@JSON
@click.pass_context
def reset(  # noqa: PLR0913 - one parameter per option
    ctx: click.Context,
    topic: str,
    partition: int,
    *,
    reason: str,
    actor: str,
    dry_run: bool,
    json_wanted: bool,
) -> None:
    """Let PARTITION of TOPIC go on after its fuse tripped; then start the worker again."""
    connection = tool_settings(ctx).connection()
    known = topic_partitions(connection)
    name = topic if topic in known else prefixed(connection.prefix, topic)
    if partition >= known.get(name, 0):
        raise NotFound(
            f"there is no partition {topic}[{partition}]",
            code="topic_not_found",
            advice="name the input topic and partition that the worker's last log line names",
        )
    done = "nothing: dry run"
    if not dry_run:
        control.reset_fuse(connection, name, partition, actor=actor, reason=reason)
        done = f"{name}[{partition}] goes on when its worker runs"
    answer("fuse_reset", f"{name}/{partition}", actor, reason, done, json_wanted=json_wanted)


dlq.add_command(edit)
