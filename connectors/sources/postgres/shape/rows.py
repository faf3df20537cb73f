"""One row change turned into raw records and its part of the transaction record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.base import EVERYWHERE, RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.encoding.transactions import change_body
from connectors.sources.postgres.log.pgoutput import UNCHANGED
from connectors.sources.postgres.shape.identity import event_uuid
from streams.errors import Poison

if TYPE_CHECKING:
    from connectors.sources.encoding.blocks import Blocks
    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.shape.columns import Row
    from connectors.sources.postgres.shape.plan import TablePlan
    from connectors.sources.postgres.shape.tables import Table


OP_CREATE, OP_UPDATE, OP_DELETE = avro.string("c"), avro.string("u"), avro.string("d")
OP_TRUNCATE, OP_READ = avro.string("t"), avro.string("r")
OLD_KEY, NEW_KEY = "__debezium.oldkey", "__debezium.newkey"
WHOLE_OLD_ROW = ord("O")
Headers = list[tuple[str, bytes]]


@dataclass(slots=True)
class Carried:
    """What became of one row change."""

    change: bytes
    records: list[RawRecord] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes in it, about."""
        return len(self.change) + sum(len(record.value or b"") for record in self.records)


@dataclass(slots=True)
class Place:
    """Where a row change stands.

    Attributes:
        ordinal: Its number in the transaction.
        event_id: Its id.
        source: The encoded `source` block.
        clock: The encoded processing times.
        block: Gives the encoded `transaction` block of the next event.
    """

    ordinal: int
    event_id: str
    source: bytes
    clock: bytes


class RowWriter:
    """Writes the rows of one table change by change.

    Args:
        record_bytes: Most bytes of one record.
        tombstones: A delete is followed by a record without a value.
    """

    def __init__(self, record_bytes: int, *, tombstones: bool = True) -> None:
        self._limit = record_bytes
        self._tombstones = tombstones

    def insert(self, table: Table, place: Place, new: Cells, block: bytes) -> Carried:
        """Carry an insert."""
        return self._new_row(table, place, new, block, OP_CREATE)

    def read(self, table: Table, place: Place, new: Cells) -> Carried:
        """Carry a row of a snapshot."""
        return self._new_row(table, place, new, avro.NULL, OP_READ)

    def _new_row(self, table: Table, place: Place, new: Cells, block: bytes, op: bytes) -> Carried:
        plan = table.plan
        row = plan.row(new)
        key, key_map = plan.key(new)
        tail = _tail(plan, place, block, op, row)
        value = b"%b\x00\x02%b%b" % (table.value_frame, row.value, tail)
        framed = None if key is None else table.key_frame + key
        change = change_body(place.ordinal, _head(table, op), key_map, None, row.cells, row.absent)
        headers = _headers(place.event_id)
        return self._checked(
            Carried(change, [RawRecord(plan.topic, framed, value, headers)]), place
        )

    def update(
        self, table: Table, place: Place, mark: int, old: Cells | None, new: Cells, blocks: Blocks
    ) -> Carried:
        """Carry an update; a change of the key is a delete of the old and a create of the new."""
        plan = table.plan
        if old is not None and mark == WHOLE_OLD_ROW:
            new = [was if cell is UNCHANGED else cell for cell, was in zip(new, old, strict=True)]
        row = plan.row(new)
        key, key_map = plan.key(new)
        was, entries = _old_image(table, mark, old)
        change = change_body(
            place.ordinal, _head(table, OP_UPDATE), key_map, entries, row.cells, row.absent
        )
        old_key = None if old is None else plan.key(old)[0]
        if old_key is not None and old_key != key:
            records = self._moved(table, place, (old_key, was), (key, row), blocks)
        else:
            shown = was if mark == WHOLE_OLD_ROW else None
            image = _image(shown)
            tail = _tail(plan, place, blocks.next(), OP_UPDATE, row, shown)
            value = b"%b%b\x02%b%b" % (table.value_frame, image, row.value, tail)
            framed = None if key is None else table.key_frame + key
            records = [RawRecord(plan.topic, framed, value, _headers(place.event_id))]
        return self._checked(Carried(change, records), place)

    def _moved(
        self,
        table: Table,
        place: Place,
        gone: tuple[bytes, Row | None],
        come: tuple[bytes | None, Row],
        blocks: Blocks,
    ) -> list[RawRecord]:
        plan, frame = table.plan, table.key_frame
        old_key = frame + gone[0]
        new_key, row = frame + (come[0] or b""), come[1]
        removal = Place(place.ordinal, f"{place.event_id}:d", place.source, place.clock)
        deleted = self._deletion(table, removal, old_key, gone[1], blocks.next())
        deleted[0] = RawRecord(
            plan.topic, old_key, deleted[0].value, [*deleted[0].headers, (NEW_KEY, new_key)]
        )
        tail = _tail(plan, place, blocks.next(), OP_CREATE, row)
        value = b"%b\x00\x02%b%b" % (table.value_frame, row.value, tail)
        headers = [*_headers(place.event_id), (OLD_KEY, old_key)]
        return [*deleted, RawRecord(plan.topic, new_key, value, headers)]

    def delete(self, table: Table, place: Place, mark: int, old: Cells, block: bytes) -> Carried:
        """Carry a delete, with a tombstone behind it."""
        key, key_map = table.plan.key(old)
        was, entries = _old_image(table, mark, old)
        change = change_body(place.ordinal, _head(table, OP_DELETE), key_map, entries, None)
        framed = None if key is None else table.key_frame + key
        records = self._deletion(table, place, framed, was, block)
        return self._checked(Carried(change, records), place)

    def vanished(self, table: Table, place: Place, key: bytes) -> list[RawRecord]:
        """Tell of a row that is gone and of which its key alone is known.

        Args:
            table: Its table.
            place: Where this is told.
            key: The key's Avro body.
        """
        return self._deletion(table, place, table.key_frame + key, None, avro.NULL)

    def _deletion(
        self, table: Table, place: Place, key: bytes | None, was: Row | None, block: bytes
    ) -> list[RawRecord]:
        plan = table.plan
        tail = _tail(plan, place, block, OP_DELETE, None, was)
        value = b"%b%b\x00%b" % (table.value_frame, _image(was), tail)
        headers = _headers(place.event_id)
        records = [RawRecord(plan.topic, key, value, headers)]
        if key is not None and self._tombstones:
            records.append(RawRecord(plan.topic, key, None, headers))
        return records

    def truncate(self, table: Table, place: Place, block: bytes) -> Carried:
        """Carry a truncate: one copy for every partition, without a key."""
        plan = table.plan
        tail = _tail(plan, place, block, OP_TRUNCATE, None)
        value = b"%b\x00\x00%b" % (table.value_frame, tail)
        change = change_body(place.ordinal, _head(table, OP_TRUNCATE), avro.NULL, None, None)
        record = RawRecord(plan.topic, None, value, _headers(place.event_id), EVERYWHERE)
        return Carried(change, [record])

    def _checked(self, carried: Carried, place: Place) -> Carried:
        largest = max(len(carried.change), *(len(each.value or b"") for each in carried.records))
        if largest <= self._limit:
            return carried
        raise Poison(
            f"Row {place.event_id} takes {largest:,} bytes as a record; at most "
            f"{self._limit:,} may be sent",
            code="row_too_large",
            kept="the dead letter holds the row's first bytes and its position",
            advice="raise the topic's max.message.bytes and this source's limit, or publish the "
            "table without its large columns",
        )


def _old_image(table: Table, mark: int, old: Cells | None) -> tuple[Row | None, list[bytes] | None]:
    """The row of the raw record's `before`, and the entries of the transaction record's."""
    if old is None:
        return None, None
    row = table.plan.row(old)
    if mark == WHOLE_OLD_ROW:
        return row, row.cells
    # Of a key image only the key's columns are known; the others are not null, but absent.
    return row, [row.cells[index] for index in table.plan.key_indexes]


def _image(row: Row | None) -> bytes:
    return avro.NULL if row is None else avro.SOME + row.value


def _tail(
    plan: TablePlan,
    place: Place,
    block: bytes,
    op: bytes,
    after: Row | None,
    before: Row | None = None,
) -> bytes:
    """What follows the images: source, transaction, op, times, and what the images do not hold."""
    tail = b"%b%b%b%b" % (place.source, block, op, place.clock)
    if plan.mirror:
        return tail
    absent = after.absent if after is not None else ()
    texts = [
        avro.string(f"{image}.{name}") + avro.raw(text)
        for image, row in (("before", before), ("after", after))
        if row is not None
        for name, text in row.texts.items()
    ]
    names = avro.SOME + avro.array([avro.string(name) for name in absent]) if absent else avro.NULL
    return tail + names + (avro.SOME + avro.array(texts) if texts else avro.NULL)


def _head(table: Table, op: bytes) -> bytes:
    return table.plan.table_bytes + op


def _headers(event_id: str) -> Headers:
    return [("event_id", event_id.encode()), ("event_uuid", event_uuid(event_id))]
