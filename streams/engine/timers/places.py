"""Where timers stand in a partition's store, so that the byte order of keys is their order.

Three kinds of records, apart from users' keys and from the engine's others:

- by due time: `DUE`, due, key, name. What fires next is what a seek finds first;
- by key: `SLOT`, key, name, with the due time as value. What a replacement or a cancellation
  needs to find the first record;
- aside: `ASIDE`, key, due, name, in the place of the record by due time while the key waits
  behind a dead letter, so that no cycle meets it again before the key is free.

`FAILED` holds, in the order of `DUE`, the firings that became dead letters nobody decided on.
"""

from __future__ import annotations

from typing import Final, NamedTuple

DUE: Final = b"\0\3"
SLOT: Final = b"\0\4"
ASIDE: Final = b"\0\5"
FAILED: Final = b"\0\6"
NEVER: Final = 2**63 - 1
"""Later than every due time, in microseconds since 1970."""
_END: Final = b"\0\0"


class Place(NamedTuple):
    """A pending timer as the store has it.

    Attributes:
        due_us: When it is due, in microseconds since 1970.
        key: Its key's bytes.
        name: Its name.
    """

    due_us: int
    key: bytes
    name: str


def ended(key: bytes) -> bytes:
    """A key with a mark at its end: ordered as the key itself, and no other key begins with it."""
    return (key.replace(b"\0", b"\0\xff") if b"\0" in key else key) + _END


def by_due(place: Place) -> bytes:
    """Where a timer stands in the order of due times."""
    return DUE + ordered(place)


def ordered(place: Place) -> bytes:
    """A timer as bytes that sort by due time, key and name."""
    return place.due_us.to_bytes(8) + ended(place.key) + place.name.encode()


def by_key(key: bytes, name: str) -> bytes:
    """Where the timer of a key and name says when it is due."""
    return SLOT + ended(key) + name.encode()


def aside(place: Place) -> bytes:
    """Where a timer waits while its key is not free."""
    return ASIDE + ended(place.key) + place.due_us.to_bytes(8) + place.name.encode()


def aside_of(key: bytes) -> tuple[bytes, bytes]:
    """The range in which all timers of a key wait."""
    begin = ASIDE + ended(key)
    return begin, begin[:-1] + b"\1"


def read(octets: bytes) -> Place:
    """A timer from `ordered` bytes."""
    end = octets.index(_END, 8)
    key = octets[8:end].replace(b"\0\xff", b"\0")
    return Place(int.from_bytes(octets[:8]), key, octets[end + 2 :].decode())


def read_aside(octets: bytes, key: bytes) -> Place:
    """A timer of a key from the place where it waits."""
    rest = octets[len(ASIDE) + len(ended(key)) :]
    return Place(int.from_bytes(rest[:8]), key, rest[8:].decode())
