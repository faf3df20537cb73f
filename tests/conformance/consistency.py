"""What must hold among the records of a source by themselves, whatever an oracle says."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.conformance.wire import Event


def problems(events: list[Event]) -> list[str]:
    """What does not hold among the records of one case, each topic's in order."""
    return [*_transactions(events), *_tombstones(events), *_ids(events), *_marks(events)]


def _changes(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if isinstance(event.value, dict) and "source" in event.value:
            yield event


def _transactions(events: list[Event]) -> Iterator[str]:
    by_number: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in _changes(events):
        block, source = event.value["transaction"], event.value["source"]
        if source["snapshot"] == "false" and source["lsn"] is None:
            yield f"{event.topic}: an event without a position"
        if len(json.loads(source["sequence"])) != 2:
            yield f"{event.topic}: sequence {source['sequence']} is no pair"
        if block is not None:
            by_number[source["txId"]].append(event.value)
    for number, values in by_number.items():
        yield from _one(number, values)
    yield from _counted(events, {number: len(values) for number, values in by_number.items()})


def _counted(events: list[Event], counts: dict[int, int]) -> Iterator[str]:
    """BEGIN and END agree with the events, where there are any."""
    marks = [event for event in events if event.topic == "transaction"]
    for number, count in counts.items() if marks else ():
        ours = [each for each in marks if each.key["id"].split(":")[0] == str(number)]
        found = [(each.value["status"], each.value["event_count"]) for each in ours]
        if found != [("BEGIN", None), ("END", count)]:
            yield f"transaction {number} of {count} events is marked by {found}"


def _one(number: int, values: list[dict[str, Any]]) -> Iterator[str]:
    values = sorted(values, key=lambda value: value["transaction"]["total_order"])
    order = [value["transaction"]["total_order"] for value in values]
    if order != list(range(1, len(values) + 1)):
        yield f"transaction {number}: total_order is {order}"
    if len({value["transaction"]["id"] for value in values}) != 1:
        yield f"transaction {number}: more than one id"
    if len({value["source"]["ts_us"] for value in values}) != 1:
        yield f"transaction {number}: more than one commit time"
    places = [value["source"]["lsn"] for value in values]
    if places != sorted(places):
        yield f"transaction {number}: positions fall: {places}"
    tables: dict[str, list[int]] = defaultdict(list)
    for value in values:
        table = f"{value['source']['schema']}.{value['source']['table']}"
        tables[table].append(value["transaction"]["data_collection_order"])
    for table, found in tables.items():
        if found != list(range(1, len(found) + 1)):
            yield f"transaction {number}: data_collection_order of {table} is {found}"


def _tombstones(events: list[Event]) -> Iterator[str]:
    previous: dict[str, Event] = {}
    for event in events:
        if event.value is None:
            before = previous.get(event.topic)
            if before is None or before.value is None or before.value.get("op") != "d":
                yield f"{event.topic}: a tombstone that follows no delete"
            elif before.key != event.key:
                yield f"{event.topic}: tombstone {event.key} behind the delete of {before.key}"
        previous[event.topic] = event


def _ids(events: list[Event]) -> Iterator[str]:
    seen: dict[bytes, str] = {}
    for event in _changes(events):
        name = event.headers.get("event_id")
        if name is None:
            yield f"{event.topic}: an event without an id"
        elif name in seen:
            yield f"{event.topic}: id {name.decode()} twice"
        else:
            seen[name] = event.topic


def _marks(events: list[Event]) -> Iterator[str]:
    marks = [e.value["source"]["snapshot"] for e in _changes(events) if e.value["op"] == "r"]
    for mark in ("first", "last") if len(marks) > 1 else ():
        if marks.count(mark) != 1:
            yield f"snapshot: {marks.count(mark)} records are marked {mark!r}"
