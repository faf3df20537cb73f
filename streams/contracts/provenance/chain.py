"""The chain of steps that made a record, as one header that every step adds a line to.

A line is `<step>@<version> <event id>`: what ran, and the event that it gave. What it read is the
event of the line above; a step that read others names them behind, separated by commas. A step
whose output is only a message between stages keeps the event id: it stands for the same event. So
the last line always names the event that the record is or stands for.

    source/erp@0.1.0 erp:7391:26738688
    tryton@1 0f3c…
    route-cause-inspection@0.1.0 0f3c…
    lotgate.hold@1 77ab…

Characters that would break a line are written as `%XX`. A chain that grows past `LIMIT_BYTES` keeps
its begin and its end; a line `~ <n>` says how many steps were left out between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from streams.errors import Poison
from streams.model.envelope import Envelope

HEADER: Final = "lotgate-chain"
LIMIT_BYTES: Final = 1_536
"""A chain longer than this is shortened; an ordinary one has seven steps and 500 bytes."""
KEPT_FIRST: Final = 4
KEPT_LAST: Final = 12
LEFT_OUT: Final = b"~"
NOTHING: Final = "-"
"""Stands for a version or an id that is empty."""

_ODD = re.compile(r"[\s%,@\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a chain.

    Attributes:
        transform: What ran: a source, translator, rule, stage or sink.
        version: Its version, empty if it has none.
        event_id: The event that it gave, or that the message it gave stands for.
        inputs: The events it read.
        left_out: How many steps this line stands for; 0 for a step. The other fields are empty
            then.
    """

    transform: str
    version: str
    event_id: str
    inputs: tuple[str, ...] = ()
    left_out: int = 0


def step(name: str, version: str) -> bytes:
    """The first word of a line.

    Args:
        name: What runs.
        version: Its version, empty for none.
    """
    return f"{_token(name)}@{_token(version)}".encode()


def begun(name: str, version: str, event_id: str) -> bytes:
    """A chain of one step: what a record without upstream carries.

    Args:
        name: What made the record, e.g. `source/erp` or the name of a system.
        version: Its version.
        event_id: The record's event, or its position in the system's log.

    Example:
        >>> begun("mes bridge", "2.1", "e-17")
        b'mes%20bridge@2.1 e-17'
    """
    return b"%b %b" % (step(name, version), _token(event_id).encode())


def appended(chain: bytes, own: bytes, event: object) -> bytes:
    """A chain with one more line.

    An event whose id is another than the chain's last was made here; its own last transform says
    by what. Any other output is a message that stands for the event it was made from.

    Args:
        chain: The input's chain, empty if it has none.
        own: See `step`; used where the event does not name its transform.
        event: What was made.
    """
    before = last_event(chain)
    given, others = before, b""
    envelope = getattr(event, "envelope", None)
    if isinstance(envelope, Envelope):
        given = _token(envelope.event_id).encode()
        if given != before and envelope.transform:
            made = envelope.transform[-1]
            own = step(made.id, made.version)
            read_ids = ",".join(map(_token, made.input_event_ids)).encode()
            others = b" " + read_ids if read_ids and read_ids != before else b""
    line = b"%b %b%b" % (own, given or NOTHING.encode(), others)
    whole = b"%b\n%b" % (chain, line) if chain else line
    return whole if len(whole) <= LIMIT_BYTES else _shortened(whole)


def last_event(chain: bytes) -> bytes:
    """The event that a record with this chain is or stands for, as written; empty if none."""
    words = chain[chain.rfind(b"\n") + 1 :].split(b" ", 2)
    return words[1] if len(words) > 1 else b""


def is_well_formed(chain: bytes) -> bool:
    """Whether a header's value can be added to: its last line names a step and an event."""
    line = chain[chain.rfind(b"\n") + 1 :]
    return 0 < line.find(b"@") < line.find(b" ", 0, -1)


def read(chain: bytes) -> tuple[Hop, ...]:
    """The steps of a chain, oldest first.

    Raises:
        Poison: `provenance_unreadable`: the header is not of this form.
    """
    hops: list[Hop] = []
    try:
        for line in chain.decode().split("\n"):
            hops.append(_hop(line, hops[-1].event_id if hops else ""))
    except ValueError as error:
        raise Poison(
            f"line {len(hops) + 1} of the header {HEADER} is no step: {error}",
            code="provenance_unreadable",
            kept="the record and all its headers",
            advice="look at what wrote or passed on the record; it must copy the header unchanged",
        ) from error
    return tuple(hops)


def _hop(line: str, before: str) -> Hop:
    words = line.split(" ")
    if words[0] == LEFT_OUT.decode() and len(words) == 2 and words[1].isdecimal():
        return Hop("", "", "", left_out=int(words[1]))
    name, at, version = words[0].rpartition("@")
    if not at or not name or not 2 <= len(words) <= 3 or not all(words):
        raise ValueError(f"{line[:120]!r}")
    if len(words) == 3:
        inputs = tuple(_plain(word) for word in words[2].split(","))
    else:
        inputs = (before,) if before else ()
    return Hop(_plain(name), _plain(version), _plain(words[1]), inputs)


def _shortened(chain: bytes) -> bytes:
    lines = chain.split(b"\n")
    if len(lines) <= KEPT_FIRST + KEPT_LAST:
        return chain
    between = lines[KEPT_FIRST:-KEPT_LAST]
    count = 0
    for line in between:
        first, _, rest = line.partition(b" ")
        count += int(rest) if first == LEFT_OUT else 1
    return b"\n".join([*lines[:KEPT_FIRST], b"~ %d" % count, *lines[-KEPT_LAST:]])


def _token(text: str) -> str:
    if not text:
        return NOTHING
    if _ODD.search(text) is None:
        return text
    return _ODD.sub(lambda odd: "".join(f"%{octet:02X}" for octet in odd[0].encode()), text)


def _plain(token: str) -> str:
    return "" if token == NOTHING else unquote(token, errors="strict")
