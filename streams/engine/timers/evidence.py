"""What a firing leaves behind: headers of what it emits, and the dead letter if it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from streams.engine.poison.stored import StoredRecord
from streams.engine.timers.places import ordered

if TYPE_CHECKING:
    from streams.engine.timers.places import Place

PREFIX: Final = "lotgate-timer"


def headers(place: Place, now_us: int, partition: int, position: int) -> list[tuple[str, bytes]]:
    """Headers of every record that a firing emits: a history can be replayed from them.

    Args:
        place: The timer.
        now_us: The time at which it fired, microseconds since 1970.
        partition: The input partition.
        position: The next offset to be read from it at that moment.
    """
    return [
        (PREFIX, place.name.encode()),
        (f"{PREFIX}-key", place.key),
        (f"{PREFIX}-due", str(place.due_us).encode()),
        (f"{PREFIX}-now", str(now_us).encode()),
        (f"{PREFIX}-next", str(position).encode()),
        (f"{PREFIX}-partition", str(partition).encode()),
    ]


def as_record(place: Place, now_us: int, position: int) -> StoredRecord:
    """A firing in the place of a record: what its dead letter shows."""
    told = {
        "timer": place.name,
        "key": place.key.decode(errors="backslashreplace"),
        "due_us": place.due_us,
        "now_us": now_us,
    }
    return StoredRecord(position, place.key, orjson.dumps(told), time=(1, now_us // 1_000))


def story(place: Place, now_us: int, due: str) -> dict[str, str]:
    """What the headers of a failed firing's dead letter say beside the usual, or in its place.

    Args:
        place: The timer.
        now_us: When it was to fire, microseconds since 1970.
        due: Name of the function that failed.
    """
    return {
        "rule": due,
        "schema": "",
        "scope": "timer",
        "timer": place.name,
        "timer-due": str(place.due_us),
        "timer-now": str(now_us),
        "timer-id": ordered(place).hex(),
    }
