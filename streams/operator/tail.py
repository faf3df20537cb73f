"""`lotgate tail`: the committed records of any topic, decoded."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import click

from streams.contracts.topics import GROUP, PUBLIC, dead_letters, prefixed
from streams.engine.kafka.reading import high_watermark, read_partition
from streams.engine.kafka.topics import offset_at, topic_partitions
from streams.operator.answers.decoding import Shown, shown
from streams.operator.answers.tooling import (
    NotFound,
    as_json,
    codec_of,
    moment,
    patient,
    say,
    tool_settings,
)
from streams.runtime.clock import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.engine.kafka.records import Record
    from streams.runtime.connection import KafkaConnection

MARKERS_PER_RECORD = 4
"""At idle a transaction holds one record, and its end takes an offset too: looking for the last N
records goes back further than N offsets."""


@click.command()
@click.argument("topic")
@click.option("--key", help="Only records whose key is, or contains, this text.")
@click.option("--since", help="From this age (90s, 10m, 2h, 1d) or ISO 8601 time on.")
@click.option("--follow/--no-follow", help="Wait for new records; end with Ctrl-C.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object per line.")
@click.pass_context
def tail(  # noqa: PLR0913 - one parameter per option
    ctx: click.Context,
    topic: str,
    *,
    key: str | None,
    since: str | None,
    follow: bool,
    limit: int,
    json_wanted: bool,
) -> None:
    """Print the last records of TOPIC, decoded by the schema each was written with.

    \b
    lotgate tail inventory.hold.acks --since 10m
    lotgate tail inventory.hold.commands --key R-001 --follow
    lotgate tail dlq --json

    The installation's prefix and group are added where they are missing; `dlq` is the worker's
    dead letters. Only committed records are shown. Exit code 3 if there is no such topic, 5 if the
    broker or the registry cannot be reached.
    """  # noqa: D301 - click reads the backspace
    settings = tool_settings(ctx)
    connection = settings.connection()
    since_ms = int(moment(since, now()).timestamp() * 1000) if since else None
    wanted = _matching(key)
    name, partitions = completed(topic, topic_partitions(connection), connection)
    last = limit if since_ms is None and key is None else None
    begins = {
        partition: _begin(connection, name, partition, since_ms, last)
        for partition in range(partitions)
    }
    with codec_of(settings, connection) as codec:
        for record in last_records(connection, name, begins, wanted, limit):
            _print(shown(record, codec.decode_any), json_wanted=json_wanted)
        if not follow:
            return
        say("waiting for new records; Ctrl-C ends")
        try:
            for record in new_records(connection, name, partitions, wanted):
                _print(shown(record, codec.decode_any), json_wanted=json_wanted)
        except KeyboardInterrupt:
            ctx.exit(130)


def completed(asked: str, known: Mapping[str, int], connection: KafkaConnection) -> tuple[str, int]:
    """Complete a topic's name with the installation's prefix and group.

    Args:
        asked: As the person wrote it.
        known: Topics on the broker, with their numbers of partitions.
        connection: Holds prefix and group.

    Raises:
        NotFound: No topic fits; names the nearest ones.
    """
    group = connection.group
    short = dead_letters(group) if asked == "dlq" else asked.replace(GROUP, group)
    forms = (asked, short, f"{group}-{short}", f"dlq.{group}-{short}")
    for form in (*forms, *(prefixed(connection.prefix, form) for form in forms)):
        if form in known:
            return form, known[form]
    near = sorted(name for name in known if asked in name) or [topic.name for topic in PUBLIC]
    raise NotFound(
        f"there is no topic {asked!r} on {connection.bootstrap}",
        code="topic_not_found",
        advice=f"use one of: {', '.join(near[:8])}",
    )


def last_records(
    connection: KafkaConnection,
    topic: str,
    begins: Mapping[int, int | None],
    wanted: Callable[[Record], bool],
    limit: int,
) -> list[Record]:
    """Read from the given offsets to the end and return the newest records, oldest first.

    Args:
        connection: Where the broker is.
        topic: Full name of the topic.
        begins: Where each partition begins; None skips the partition.
        wanted: Which records count.
        limit: How many at most.
    """
    found: list[Record] = []
    for partition, begin in begins.items():
        if begin is None:
            continue
        read = read_partition(connection, topic, partition, offset=begin)
        found += [record for record in read if record is not None and wanted(record)]
        found.sort(key=lambda record: (record.timestamp_ms, record.partition, record.offset))
        del found[:-limit]
    return found


def new_records(
    connection: KafkaConnection, topic: str, partitions: int, wanted: Callable[[Record], bool]
) -> Iterator[Record]:
    """Yield records as they are committed, of all partitions; ends only with an error."""
    arrived: queue.SimpleQueue[Record | Exception] = queue.SimpleQueue()
    for partition in range(partitions):
        begin = patient(high_watermark)(connection, topic, partition)
        arguments = (connection, topic, partition, begin, arrived)
        threading.Thread(target=_hand_over, args=arguments, daemon=True).start()
    while True:
        item = arrived.get()
        if isinstance(item, Exception):
            raise item
        if wanted(item):
            yield item


def _hand_over(
    connection: KafkaConnection,
    topic: str,
    partition: int,
    begin: int,
    arrived: queue.SimpleQueue[Record | Exception],
) -> None:
    try:
        for record in read_partition(connection, topic, partition, offset=begin, follow=True):
            if record is not None:
                arrived.put(record)
    except Exception as error:  # noqa: BLE001 - handed over to the thread that prints
        arrived.put(error)


@patient
def _begin(
    connection: KafkaConnection, topic: str, partition: int, since_ms: int | None, last: int | None
) -> int | None:
    """Where a partition begins: at a time, near its end, or at its beginning."""
    if since_ms is not None:
        return offset_at(connection, topic, partition, since_ms)
    oldest = offset_at(connection, topic, partition, 0)
    if oldest is None or last is None:
        return oldest
    end = high_watermark(connection, topic, partition)
    return max(oldest, end - last * MARKERS_PER_RECORD)


def _matching(key: str | None) -> Callable[[Record], bool]:
    if key is None:
        return lambda _: True
    sought = key.encode()
    return lambda record: record.key is not None and sought in record.key


def _print(record: Shown, *, json_wanted: bool) -> None:
    click.echo(as_json(record) if json_wanted else record.text())
