"""What a run did: one line per command, with how it ended and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.evidence.queries import StoredEvent, commands_since, records_of
from streams.evidence.story import moment_of, path_to
from streams.model.ids import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

    from streams.evidence.lot_story import Hop


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One command and its last read-back.

    Attributes:
        lot_id: The lot.
        number: Its number.
        material: Its material.
        action: `hold` or `release`.
        target: Where.
        hold_version: The command's version.
        cause_id: The cause that made the lot change.
        cause_number: Number of the record behind it, as people know it.
        path: From the lot that the cause names to this one.
        result: Result of the last read-back; empty while there is none.
        places: Quantity per outcome, one text each.
        detail: What was seen or why it was refused.
        signature: `present, not verified` on a signed release, else empty.
        committed_at: Commit of the root row.
        commit_to_command: Seconds from that commit to the command's record.
        commit_to_read_back: Seconds from that commit to the read-back; None while there is none.
        command_id: The command.
    """

    lot_id: str
    number: str
    material: str
    action: str
    target: str
    hold_version: int
    cause_id: str
    cause_number: str
    path: tuple[Hop, ...]
    result: str
    places: tuple[str, ...]
    detail: str
    signature: str
    committed_at: datetime
    commit_to_command: float | None
    commit_to_read_back: float | None
    command_id: str


def run_summary(
    connection: Connection[Any], since: datetime | None, lots: Iterable[str] | None = None
) -> list[SummaryRow]:
    """Return every command whose root was committed since an instant.

    They come in the order of those commits; of one commit, the named lots first.

    Args:
        connection: To the evidence database.
        since: Earliest commit of a root row, by the source's clock; None for all.
        lots: Only these lots; None for all.
    """
    events = commands_since(connection, since, lots)
    acks = {event.body["command_id"]: event for event in events if event.kind == "ack"}
    commands = [event for event in events if event.kind == "command"]
    numbers: dict[str, str] = {}
    rows = [
        _row(connection, command, acks.get(command.body["command_id"]), numbers)
        for command in commands
    ]
    return sorted(rows, key=lambda row: (row.committed_at, len(row.path), row.lot_id))


def _row(
    connection: Connection[Any],
    command: StoredEvent,
    ack: StoredEvent | None,
    numbers: dict[str, str],
) -> SummaryRow:
    body = command.body
    seen = ack.body if ack is not None else {}
    cause = body["cause"]["cause_id"]
    if cause not in numbers:
        numbers[cause] = cause_number(connection, cause)
    _, material, number = parts_of(body["lot_id"])
    return SummaryRow(
        lot_id=body["lot_id"],
        number=number,
        material=material,
        action=body["action"],
        target=body["target"],
        hold_version=body["hold_version"],
        cause_id=cause,
        cause_number=numbers[cause],
        path=path_to(connection, body["lot_id"], cause),
        result=seen.get("result", ""),
        places=tuple(
            f"{share['outcome']} {share['quantity']} {share['unit']} {share['place']}".strip()
            for share in seen.get("shares", ())
        ),
        detail=seen.get("detail", ""),
        signature=seen.get("signature", ""),
        committed_at=command.recorded_at,
        commit_to_command=_seconds(command),
        commit_to_read_back=None if ack is None else _seconds(ack),
        command_id=body["command_id"],
    )


def cause_number(connection: Connection[Any], cause_id: str) -> str:
    """Return the number by which people know a cause's record; the cause id without one."""
    versions = records_of(connection, cause_id)
    last = versions[-1].body if versions else {}
    return str(last.get("ref") or last.get("number") or cause_id)


def _seconds(event: StoredEvent) -> float | None:
    at = moment_of(event)
    return None if at is None else (at - event.recorded_at).total_seconds()
