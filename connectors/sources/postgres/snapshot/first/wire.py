"""What passes between a process that copies ranges of tables and its parent."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.sources.postgres.log.pgoutput import Relation
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.snapshot.bulk import Row

FORM: Final = 2
"""The form of `marshal` that looks for no repeated values, which takes longer than sending them."""
LENGTH: Final = struct.Struct(">I")
ORDERS: Final = 2
"""Orders that a process has at once, so that it does not wait for the next; each has a place of
its own in shared memory for its answer."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the process needs to know; goes through its input, for it holds a password.

    Attributes:
        settings: The source's settings.
        exported: The snapshot to look through.
        origin: The server's identity and the database.
        run: The snapshot's label, position, and when it began.
        now_us: When the parent began to read, microseconds since 1970.
        tables: Shapes, and the frames of keys and values.
    """

    settings: PostgresSettings
    exported: str
    origin: tuple[str, str]
    run: tuple[str, int, int]
    now_us: int
    tables: Sequence[tuple[Relation, tuple[bytes, bytes]]]


class Encoded(NamedTuple):
    """A range's rows.

    Attributes:
        rows: Those that are encoded, the first and the last one left out.
        ends: The first and the last one as they were copied; one or two, none if there is none.
        odd: Number in the range, and the row as it was copied, of those that go over their text.
    """

    rows: list[Row]
    ends: list[bytes]
    odd: list[tuple[int, bytes]]


def put(stream: IO[bytes] | None, message: bytes) -> None:
    """Send a message; without a reader it is lost."""
    if stream is None:
        return
    try:
        stream.write(LENGTH.pack(len(message)))
        stream.write(message)
        stream.flush()
    except (BrokenPipeError, ValueError):
        return  # the other one is gone, which the next reading tells


def take(stream: IO[bytes] | None) -> bytes | None:
    """Wait for a message; None once nobody sends any more."""
    head = b"" if stream is None else stream.read(LENGTH.size)
    if stream is None or len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None
