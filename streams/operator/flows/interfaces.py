"""`lotgate interfaces`: check the documents, compare them with measurements, release by hand."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from streams.contracts.interfaces.advice import Advice, advise, measured
from streams.contracts.interfaces.orders import order, releases_topic
from streams.contracts.provisioning import releases_spec
from streams.contracts.topics import prefixed
from streams.contracts.zones import Tokens
from streams.engine import (
    StartPosition,
    Transaction,
    high_watermark,
    provision,
    read_partition,
    topic_partitions,
)
from streams.errors import Misconfigured
from streams.operator.answers.tooling import instant_text, moment, tool_settings
from streams.operator.flows import gathering
from streams.runtime.clock import now, now_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.contracts.documents import Document
    from streams.contracts.interfaces import Flow, Interfaces
    from streams.engine import Record
    from streams.runtime.connection import KafkaConnection

SAMPLE = 500
"""Newest records of each partition that are looked at."""


@click.group()
def interfaces() -> None:
    """How each flow of data is meant to run, and how it does."""


@interfaces.command("check")
@gathering.folder_option
def check(folder: Path) -> None:
    """Read interfaces.yaml, ownership.yaml and zones.yaml; errors name file and line."""
    document = gathering.interfaces_in(folder)
    gathering.ownership_in(folder, document.value)
    gathering.zones_in(folder, document.value)
    count = len(document.value.flows)
    click.echo(f"{count} flows, {len(document.value.systems)} systems: nothing is wrong")


@interfaces.command("advise")
@gathering.folder_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@click.pass_context
def advise_command(ctx: click.Context, *, folder: Path, as_json: bool) -> None:
    """Compare measured change rate and latency with the file. Exit code 4 if a flow is late."""
    connection = tool_settings(ctx).connection()
    document = gathering.as_named(gathering.interfaces_in(folder), connection.group)
    known, at = topic_partitions(connection), now()
    told: list[Advice] = []
    for name, flow in document.value.flows.items():
        topics = [prefixed(connection.prefix, topic) for topic in flow.reads or flow.writes]
        found = list(samples(connection, ((t, known[t]) for t in topics if t in known)))
        told += advise(name, flow, measured(found), at)
    if as_json:
        click.echo(orjson.dumps(told))
    else:
        for each in told:
            click.echo(f"{each.code:<14} {each.flow}: {each.text}")
    if any(each.code in {"late", "cron_too_slow"} for each in told):
        ctx.exit(4)


@interfaces.command("release")
@gathering.folder_option
@click.argument("flow")
@click.option("--by", required=True, help="Who releases: a role or a login.")
@click.option("--reason", required=True, help="Why.")
@click.option("--until", default="", help="Up to which time: 10m, 2h, an ISO time; default now.")
@click.pass_context
def release(
    ctx: click.Context, *, folder: Path, flow: str, by: str, reason: str, until: str
) -> None:
    """Release what has come for a manual flow; what comes later waits again."""
    _manual(gathering.interfaces_in(folder), flow)
    connection = tool_settings(ctx).connection()
    upto = moment(until, now()) if until else now()
    give_order(connection, flow, upto, by, reason)
    click.echo(f"{flow}: records up to {instant_text(upto)} are released")


@interfaces.command("reveal")
@click.argument("token")
@click.option("--field", required=True, help="<full name of the type>.<field> of the token.")
@click.option(
    "--key-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the key: 64 bytes in base64.",
)
def reveal(token: str, *, field: str, key_file: Path) -> None:
    """Say what a token stands for; only the key of its zone can."""
    click.echo(Tokens(key_file.read_text("utf-8", errors="replace").strip()).value_of(token, field))


def give_order(
    connection: KafkaConnection, flow: str, upto: datetime, by: str, reason: str
) -> None:
    """Write a release of a manual flow.

    Args:
        connection: Where the broker is.
        flow: The flow.
        upto: Records of this time and earlier may go.
        by: Who releases them.
        reason: Why.
    """
    provision(connection, [releases_spec(connection)])
    value = order(int(upto.timestamp() * 1000), by, now_ms(), reason)
    with Transaction(connection, f"{connection.group}-releases") as transaction:
        transaction.begin()
        topic = releases_topic(connection.prefix, connection.group)
        transaction.produce(topic, flow.encode(), value, ())
        transaction.commit()


def _manual(document: Document[Interfaces], name: str) -> Flow:
    flow = document.value.flows.get(name)
    manual = [each for each, flow in document.value.flows.items() if flow.mode == "manual"]
    if flow is None or flow.mode != "manual":
        raise Misconfigured(
            f"{document.file}: {name} is no manual flow",
            code="not_manual",
            kept="nothing was released",
            advice=f"manual flows are: {', '.join(manual) or 'none'}",
        )
    return flow


def samples(
    connection: KafkaConnection, topics: Iterable[tuple[str, int]]
) -> Iterator[tuple[int, int | None]]:
    """Time in the topic and business time of the newest records, milliseconds since 1970.

    Args:
        connection: Where the broker is.
        topics: Full names of topics with their numbers of partitions.
    """
    for topic, partitions in topics:
        for partition in range(partitions):
            for record in _newest(connection, topic, partition):
                yield record.timestamp_ms, _begun_ms(record)


def _newest(connection: KafkaConnection, topic: str, partition: int) -> list[Record]:
    """The newest records of a partition; all that is kept where less is."""
    start = max(0, high_watermark(connection, topic, partition) - SAMPLE)
    try:
        return [one for one in read_partition(connection, topic, partition, offset=start) if one]
    except StartPosition:
        kept = read_partition(connection, topic, partition)
        return list(deque((one for one in kept if one), SAMPLE))


def _begun_ms(record: Record) -> int | None:
    told = record.header("ce_time")
    if told is None:
        return None
    try:
        return int(datetime.fromisoformat(told.decode()).timestamp() * 1000)
    except ValueError:
        return None
