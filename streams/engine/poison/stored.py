"""A record that waits in a store or travels in a decision, as bytes and back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from streams.engine.kafka.records import Headers, headers_of


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
    """A record from `packed` bytes."""
    line, _, value = raw.partition(b"\n")
    known = orjson.loads(line)
    kind, time = known["timestamp"]
    return StoredRecord(
        at=known["offset"],
        octets_key=_octets(known["key"]),
        octets=None if known["empty"] else value,
        pairs=tuple((name, _octets(octets) or b"") for name, octets in known["headers"]),
        time=(kind, time),
        attempts=attempts,
    )


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else b64encode(octets).decode()


def _octets(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
