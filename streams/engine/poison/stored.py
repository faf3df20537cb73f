"""A record that waits in a store or travels in a decision, as bytes and back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from streams.engine.kafka.records import Headers, headers_of

LARGEST: Final = 2**63 - 1
MOST_HEADERS: Final = 10_000
_FIELDS: Final = frozenset({"offset", "key", "empty", "headers", "timestamp"})


class Raw(Protocol):
    """What a rule's record must answer: a client library's message does, and `StoredRecord`."""

    def key(self) -> Any: ...  # noqa: D102 - named as the client library names it
    def value(self) -> Any: ...  # noqa: D102
    def offset(self) -> Any: ...  # noqa: D102
    def headers(self) -> Any: ...  # noqa: D102
    def timestamp(self) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it was read, kept for later.

    Attributes:
        at: Its offset in the input partition.
        octets_key: Key bytes.
        octets: Value bytes, unchanged.
        pairs: Headers.
        time: Kind of timestamp and milliseconds since 1970.
        attempts: How often it was tried before.
    """

    at: int
    octets_key: bytes | None
    octets: bytes | None
    pairs: Headers = ()
    time: tuple[int, int] = (0, 0)
    attempts: int = 0

    def key(self) -> bytes | None:
        """Key bytes."""
        return self.octets_key

    def value(self) -> bytes | None:
        """Value bytes."""
        return self.octets

    def offset(self) -> int:
        """Offset in the input partition."""
        return self.at

    def headers(self) -> list[tuple[str, bytes]]:
        """Header names and values."""
        return list(self.pairs)

    def timestamp(self) -> tuple[int, int]:
        """Kind of timestamp and milliseconds since 1970."""
        return self.time


def packed(record: Raw) -> bytes:
    """A record as bytes: one line of what is small, then the value as it is."""
    value = record.value()
    small = orjson.dumps(
        {
            "offset": record.offset(),
            "key": _text(record.key()),
            "empty": value is None,
            "headers": [(name, _text(octets)) for name, octets in headers_of(record)],
            "timestamp": list(record.timestamp()),
        }
    )
    return small + b"\n" + (value or b"")


def unpacked(raw: bytes, attempts: int = 0) -> StoredRecord:
    """A record from `packed` bytes.

    Raises:
        ValueError: It is none: something is missing or out of range. Bytes of a control topic come
            from others.
        TypeError: Something is of another type.
    """
    line, _, value = raw.partition(b"\n")
    known = orjson.loads(line)
    if not isinstance(known, dict) or set(known) != _FIELDS:
        raise ValueError(f"a stored record has the fields {', '.join(sorted(_FIELDS))}")
    pairs = known["headers"]
    if not isinstance(pairs, list) or len(pairs) > MOST_HEADERS:
        raise ValueError("headers are a list of name and value")
    if not isinstance(known["empty"], bool) or (known["empty"] and value):
        raise ValueError("empty says whether there is no value")
    kind, time = _two(known["timestamp"])
    return StoredRecord(
        at=within(known["offset"], 0, LARGEST, "offset"),
        octets_key=_octets(known["key"]),
        octets=None if known["empty"] else value,
        pairs=tuple(_header(pair) for pair in pairs),
        time=(within(kind, 0, 2, "timestamp"), within(time, -LARGEST, LARGEST, "timestamp")),
        attempts=attempts,
    )


def within(value: object, least: int, most: int, name: str) -> int:
    """A number that others wrote.

    Raises:
        ValueError: It is no whole number, or out of range.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} is no whole number from {least} to {most}")
    return value


def _two(value: object) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("a pair is expected")
    return value[0], value[1]


def _header(pair: object) -> tuple[str, bytes]:
    name, text = _two(pair)
    if not isinstance(name, str):
        raise TypeError("a header's name is text")
    return name, _octets(text) or b""


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else b64encode(octets).decode()


def _octets(text: object) -> bytes | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError("bytes are written in base 64")
    return b64decode(text, validate=True)
