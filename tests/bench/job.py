"""The reference job's input, and what it must give. Shares no code with any engine or codec."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import fastavro

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FAIL_SHARE: Final = 0.02
DUPLICATE_EVERY: Final = 200
LOWER, UPPER = 1.0, 10.0

Hold = tuple[str, int, int]
"""Lot, failures, position of the record that caused it."""


def schema(name: str, **columns: str) -> dict[str, Any]:
    """A flat record's schema, parsed for fastavro."""
    fields = [{"name": key, "type": kind} for key, kind in columns.items()]
    return {"type": "record", "name": f"example.{name}", "fields": fields}


INSPECTION: Final = schema(
    "Inspection",
    inspection_id="string",
    lot="string",
    source_seq="long",
    characteristic="string",
    unit="string",
    value="double",
    lower="double",
    upper="double",
    station="string",
    inspector="string",
    measured_at_ms="long",
    remark="string",
)
HOLD: Final = schema("HoldRequested", lot="string", fails="long", source_seq="long")
LOT_STATE: Final = schema("LotState", seq="long", n="long", fails="long", held="boolean")

Inspection = dict[str, Any]


@dataclass
class Expected:
    """What a right run gives, as the generator knows it by construction.

    Attributes:
        records: Records generated.
        applied: Of these, no duplicates.
        fails: Records outside their limits, duplicates not counted.
        holds: The holds, each with how often it must be there: once.
    """

    records: int = 0
    applied: int = 0
    fails: int = 0
    holds: Counter[Hold] = field(default_factory=Counter)
    _failed: Counter[str] = field(default_factory=Counter)

    def note(self, event: Inspection, *, failed: bool) -> None:
        """Take in a record that is no duplicate."""
        self.applied += 1
        if failed:
            lot = event["lot"]
            self.fails += 1
            self._failed[lot] += 1
            if self._failed[lot] == 2:
                self.holds[lot, 2, event["source_seq"]] += 1


def lot_name(number: int) -> str:
    """A lot's key."""
    return f"LOT-{number:07d}"


def inspection(seq: int, lot: str, value: float) -> Inspection:
    """One result; twelve fields with what a plant would write into them."""
    return {
        "inspection_id": f"INS-{seq:010d}",
        "lot": lot,
        "source_seq": seq,
        "characteristic": ("viscosity", "density", "moisture", "assay")[seq % 4],
        "unit": "mPa.s",
        "value": value,
        "lower": LOWER,
        "upper": UPPER,
        "station": f"LINE-{seq % 7}",
        "inspector": f"inspector-{seq % 40:03d}",
        "measured_at_ms": 1_700_000_000_000 + seq,
        "remark": "",
    }


def inspections(
    records: int, lots: int, expected: Expected, seed: int = 20_000
) -> Iterator[Inspection]:
    """Generate a stream; `expected` is complete when it has ended.

    Args:
        records: How many, duplicates included.
        lots: Distinct keys.
        expected: Filled on the way.
        seed: Another one gives another stream; the same gives the same.
    """
    dice = random.Random(seed)
    recent: deque[Inspection] = deque(maxlen=500)
    for seq in range(1, records + 1):
        expected.records += 1
        if seq % DUPLICATE_EVERY == 0 and recent:
            yield recent[dice.randrange(len(recent))]
            continue
        failed = dice.random() < FAIL_SHARE
        value = UPPER + dice.random() if failed else LOWER + 8 * dice.random()
        event = inspection(seq, lot_name(dice.randrange(lots)), value)
        expected.note(event, failed=failed)
        recent.append(event)
        yield event


def replayed(events: Iterable[Inspection]) -> Expected:
    """The same from the records alone, by the job's rule: what a plain loop makes of them."""
    found = Expected()
    position: dict[str, int] = {}
    for event in events:
        found.records += 1
        if event["source_seq"] <= position.get(event["lot"], 0):
            continue
        position[event["lot"]] = event["source_seq"]
        found.note(event, failed=not event["lower"] <= event["value"] <= event["upper"])
    return found


def counted(holds: Iterable[Hold]) -> Counter[Hold]:
    """Holds as a multiset."""
    return Counter(holds)


class Wire:
    """Records in Confluent's frame, by fastavro alone."""

    def __init__(self, schema: dict[str, Any], schema_id: int) -> None:
        self._schema = fastavro.parse_schema(schema)
        self._frame = b"\0" + schema_id.to_bytes(4, "big")

    def encode(self, record: dict[str, Any]) -> bytes:
        """A record's bytes."""
        buffer = BytesIO(self._frame)
        buffer.seek(5)
        fastavro.schemaless_writer(buffer, self._schema, record)
        return buffer.getvalue()

    def decode(self, payload: bytes) -> dict[str, Any]:
        """A record from its bytes, whatever id it was written under."""
        found = fastavro.schemaless_reader(BytesIO(payload[5:]), self._schema, None)
        if not isinstance(found, dict):
            raise TypeError(f"{found!r} is no record")
        return found
