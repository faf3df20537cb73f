"""Confluent's frame, and what is wrong with bytes that do not fit it or their schema."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro

from streams.contracts.wire.schema_tree import title_of
from streams.contracts.wire.varints import TruncatedError
from streams.errors import Poison

if TYPE_CHECKING:
    from streams.contracts.wire.schema_tree import Schema

MAGIC = 0
FRAME_BYTES = 5
"""A zero byte, then the schema id as an unsigned 32-bit integer, big end first."""
BAD_VALUE = (ValueError, ArithmeticError, TypeError, KeyError, AttributeError)
"""What reading or writing raises for a value that is not of its schema's type."""


def frame(schema_id: int) -> bytes:
    """The bytes before a record's body."""
    return bytes([MAGIC]) + schema_id.to_bytes(4, "big")


def schema_id_of(payload: bytes) -> int:
    """The schema id in a record's frame.

    Raises:
        Poison: `not_framed`.
    """
    if len(payload) < FRAME_BYTES or payload[0] != MAGIC:
        raise Poison(
            f"The record begins with {payload[:FRAME_BYTES].hex() or 'nothing'}, not with a zero "
            "byte and a schema id",
            code="not_framed",
            advice="find the producer; it does not write through the schema registry",
        )
    return int.from_bytes(payload[1:FRAME_BYTES], "big")


def read_plain(payload: bytes, writer: Schema, reader: Schema | None = None) -> Any:
    """Decode a framed record as plain Python values, with schema resolution.

    Args:
        payload: The record, frame included.
        writer: The schema it was written with, self-contained.
        reader: The schema to read it as; default: the writer's.

    Raises:
        Poison: `truncated_body`, `trailing_bytes`, `bad_value`.
    """
    body = io.BytesIO(payload)
    body.seek(FRAME_BYTES)
    try:
        value = fastavro.schemaless_reader(body, writer, reader)
    except (EOFError, IndexError, MemoryError, *BAD_VALUE) as error:
        raise judged(error, payload, title_of(writer)) from error
    if body.tell() != len(payload):
        raise wrong_end(body.tell(), len(payload), title_of(writer))
    return value


def judged(error: BaseException, payload: bytes, where: str) -> Poison:
    """The error for bytes that could not be read: tells a body that was cut from a wrong one."""
    cut = isinstance(error, EOFError | IndexError | TruncatedError)
    if isinstance(error, UnicodeDecodeError):
        # A text cut inside a character is cut, not wrong.
        cut = error.reason == "unexpected end of data" and payload.endswith(error.object)
    if cut:
        return wrong_end(len(payload) + 1, len(payload), where)
    return Poison(
        f"A record for {where} holds a value that its schema does not allow: {error}",
        code="bad_value",
        advice="compare the record's bytes with its producer's version",
    )


def wrong_end(end: int, size: int, where: str) -> Poison:
    """The error for a body whose last value does not end where the record does."""
    if end > size:
        return Poison(
            f"A record for {where} ends after {size} bytes, before its last value",
            code="truncated_body",
            advice="fetch it again from its source; these bytes are not complete",
        )
    return Poison(
        f"A record for {where} goes on for {size - end} bytes after its last value",
        code="trailing_bytes",
        advice="compare its schema id with its producer; the id may be another schema's",
    )


def too_large(size: int, limit: int, where: str) -> Poison:
    """The error for a record above the limit."""
    return Poison(
        f"A record for {where} has {size} bytes, more than {limit}",
        code="too_large",
        advice="split it at its source",
    )
