"""A record as connectors and tools see it, so that nobody else needs the client library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from confluent_kafka import Message

Headers = tuple[tuple[str, bytes], ...]
TopicPartitionKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic.

    Attributes:
        topic: Full name of the topic.
        partition: Partition number.
        offset: Its place in the partition.
        timestamp_ms: Milliseconds since 1970, as the broker gives it.
        key: Key bytes, None for none.
        value: Value bytes, None for a tombstone.
        headers: Header names and values, in order.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """The last header of a name, None if there is none."""
        for key, value in reversed(self.headers):
            if key == name:
                return value
        return None


class Headed(Protocol):
    """Anything that has headers as the client library gives them."""

    def headers(self) -> Any: ...  # noqa: D102 - named as the client library names it


def headers_of(message: Headed) -> Headers:
    """A message's headers with bytes values; an absent value is said as empty."""
    pairs = message.headers() or ()
    pairs = pairs.items() if isinstance(pairs, dict) else pairs
    return tuple(
        (name, value.encode() if isinstance(value, str) else bytes(value or b""))
        for name, value in pairs
    )


def record_of(message: Message) -> Record:
    """Take a message of the client library over into a value."""
    _, timestamp = message.timestamp()
    return Record(
        topic=message.topic() or "",
        partition=_number(message.partition()),
        offset=_number(message.offset()),
        timestamp_ms=timestamp,
        key=_octets(message.key()),
        value=_octets(message.value()),
        headers=headers_of(message),
    )


def _number(value: int | None) -> int:
    return -1 if value is None else value


def _octets(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
