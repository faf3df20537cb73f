"""What was found in the topics, in the judge's own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.storm.cdc.oracle import Expected, frozen
from tests.storm.cdc.reading import Raw, Topics
from tests.storm.cdc.tables import SHAPES, Key, Row

TOLD = 20


@dataclass
class Judgement:
    """How often each thing went wrong, and some examples."""

    lost: int = 0
    doubled: int = 0
    phantoms: int = 0
    order_violations: int = 0
    metadata_errors: int = 0
    table_mismatch: int = 0
    invariant_violations: int = 0
    dead_letters: int = 0
    transactions: int = 0
    records: int = 0
    told: list[str] = field(default_factory=list)

    def count(self, what: str, number: int, example: object = "") -> None:
        if number:
            setattr(self, what, getattr(self, what) + number)
            if len(self.told) < TOLD:
                self.told.append(f"{what} {number}: {example}")

    def counters(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as a consumer applies it: sets a row, takes it away (None), or empties a table."""

    partition: int
    key: Key | None
    row: Row | None


@dataclass
class Stream:
    """What was found of the stream, and of the snapshot before it."""

    found: dict[str, list[tuple[int, Expected]]] = field(default_factory=dict)
    """By table: partition and record, in the order of each partition."""
    snapshot: dict[str, list[tuple[Key, Row]]] = field(default_factory=dict)
    read: dict[str, list[Seen]] = field(default_factory=dict)
    """By table: everything, in the order of each partition."""
    blocks: dict[tuple[int, str], dict[tuple[int, int], str]] = field(default_factory=dict)
    """By commit and transaction id: each event's place in it, and its table."""


def read_stream(judgement: Judgement, topics: Topics) -> Stream:
    stream = Stream()
    for table, shape in SHAPES.items():
        found = stream.found[table] = []
        rows = stream.snapshot[table] = []
        seen = stream.read[table] = []
        for raw in topics.raw(table):
            judgement.records += 1
            key = None if raw.key is None else shape.key_of(raw.key)
            seen.append(Seen(raw.partition, key, raw.value and raw.value["after"]))
            if raw.value is not None and raw.value["op"] == "r":
                assert key is not None
                rows.append((key, raw.value["after"]))
                continue
            commit, ordinal = _place(raw)
            op = "x" if raw.value is None else str(raw.value["op"])
            image = None if raw.value is None else frozen(raw.value["after"])
            found.append((raw.partition, Expected(table, key, op, commit, ordinal, image)))
            if raw.value is not None:
                _check_source(judgement, raw, commit, ordinal)
                _note_block(judgement, stream, table, raw.value, commit)
    return stream


def _place(raw: Raw) -> tuple[int, int]:
    """Commit and ordinal, by the event's id alone."""
    parts = raw.event_id.split(":")
    return int(parts[3], 16), int(parts[4])


def _check_source(judgement: Judgement, raw: Raw, commit: int, ordinal: int) -> None:
    """The record says the same in its own words."""
    assert raw.value is not None
    told = raw.value["source"]["sequence"]
    if told != f'["{commit}","{ordinal}"]':
        judgement.count("metadata_errors", 1, f"{raw.event_id} says {told}")


def _note_block(
    judgement: Judgement, stream: Stream, table: str, value: dict[str, Any], commit: int
) -> None:
    block = value["transaction"]
    places = stream.blocks.setdefault((commit, block["id"]), {})
    place = block["total_order"], block["data_collection_order"]
    if value["op"] == "t" and place in places:
        return  # the other partitions' copies
    if place in places:
        judgement.count("metadata_errors", 1, f"{block} twice")
    places[place] = table
