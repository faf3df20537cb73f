"""The outer frames of a replication stream: data, keepalive, and our feedback."""

from __future__ import annotations

import struct

DATA = ord("w")
KEEPALIVE = ord("k")
DATA_HEAD = 25
"""Bytes before the message: kind, start of the data, end of the log, the server's clock."""

_data = struct.Struct(">xQ").unpack_from
_relation = struct.Struct(">I").unpack_from
_keepalive = struct.Struct(">xQqB").unpack_from
_feedback = struct.Struct(">cQQQqB").pack


def read_start(frame: bytes) -> int:
    """Where in the log a data frame's message starts."""
    return int(_data(frame)[0])


def relation_of(frame: bytes) -> int:
    """The relation of a data frame that holds an insert, update or delete."""
    return int(_relation(frame, DATA_HEAD + 1)[0])


def read_keepalive(frame: bytes) -> tuple[int, bool]:
    """Read a keepalive.

    Returns:
        Up to where the server has sent everything, and whether it wants an answer now.
    """
    end, _, wanted = _keepalive(frame)
    return end, bool(wanted)


def feedback(confirmed: int, clock_us: int, *, answer_wanted: bool = False) -> bytes:
    """Our status message.

    Args:
        confirmed: The position up to which everything is durable elsewhere. It is given as
            written, flushed and applied alike: nothing in between is worth telling the server.
        clock_us: Our clock in microseconds since 2000.
        answer_wanted: Ask the server for a keepalive.
    """
    return _feedback(b"r", confirmed, confirmed, confirmed, clock_us, answer_wanted)


def lsn_text(lsn: int) -> str:
    """A log position as people write it, e.g. `16/B374D848`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def read_lsn(text: str) -> int:
    """A log position from its text form."""
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)
