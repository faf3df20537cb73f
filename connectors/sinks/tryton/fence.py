"""The fencing number of a lot, kept as notes at the lot in the ERP: the sink has no store.

A note's first line is for the sink, the others are for people:

    Lotgate version=2 action=release hold=<id> command=<id>
    <reason>
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.errors import Poison
from streams.model.hold import HoldAction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.sinks.tryton.reading.picture import LotRecord
    from connectors.sinks.tryton.rest.wire import Talk
    from streams.model.hold import HoldCommand

NOTE_MODEL = "ir.note"
_FIRST_LINE = re.compile(
    r"\ALotgate version=(\d{1,18}) action=(hold|release) hold=(\S+) command=(\S+)$", re.MULTILINE
)


class Stale(Exception):
    """The lot carries a higher version than the command: another command has overtaken it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What one note says.

    Attributes:
        version: The command's hold version.
        action: `hold` or `release`.
        hold_id: The hold.
        command_id: The command.
    """

    version: int
    action: str
    hold_id: str
    command_id: str


def marks_in(messages: Iterable[str]) -> tuple[Mark, ...]:
    """Read the marks among a lot's notes; notes that people wrote are passed over."""
    found = (_FIRST_LINE.match(message.replace("\r\n", "\n")) for message in messages)
    return tuple(Mark(int(m[1]), m[2], m[3], m[4]) for m in found if m)


def note_of(command: HoldCommand) -> str:
    """The note of a command: its mark, the reason, and for a release what the signature is."""
    mark = f"version={command.hold_version} action={command.action} hold={command.hold_id}"
    lines = [
        f"Lotgate {mark} command={command.command_id}",
        command.reason,
        f"Cause: {command.cause.cause_id}",
    ]
    if command.action == HoldAction.RELEASE:
        lines.append(f"Signature: {command.cause.signature or 'none'}")
    return "\n".join(line for line in lines if line)


def must_write(marks: tuple[Mark, ...], command: HoldCommand) -> bool:
    """Compare a command with the marks at its lot.

    Returns:
        True if the command is new, False if it was begun already and is resumed.

    Raises:
        Stale: A higher version is there.
        Poison: The command contradicts a mark.
    """
    highest = max((mark.version for mark in marks), default=-1)
    if command.hold_version < highest:
        raise Stale(f"the lot is at version {highest}, the command has {command.hold_version}")
    same = [mark for mark in marks if mark.version == command.hold_version]
    if any((mark.action, mark.hold_id) != (command.action, command.hold_id) for mark in same):
        raise Poison(
            f"lot {command.lot_id} carries version {command.hold_version} of another command",
            code="erp_version_conflict",
            kept="the command; the lot was left as it is",
            advice="compare the notes at the lot with the command; the pipeline's state may have "
            "been rebuilt from other input",
        )
    released = {mark.hold_id for mark in marks if mark.action == HoldAction.RELEASE}
    if command.action == HoldAction.HOLD and command.hold_id in released:
        raise Poison(
            f"hold {command.hold_id} of lot {command.lot_id} was released already",
            code="erp_hold_released",
            kept="the command; the lot was left as it is",
            advice="a new hold needs a new hold id",
        )
    return not same


async def read_marks(talk: Talk, lot: LotRecord) -> tuple[Mark, ...]:
    """The marks at a lot."""
    notes = await talk.search(NOTE_MODEL, [["resource", "=", f"stock.lot,{lot.id}"]], ("message",))
    return marks_in(str(note.get("message") or "") for note in notes)


async def raise_fence(talk: Talk, lot: LotRecord, command: HoldCommand) -> None:
    """Mark the lot with the command's version unless it is marked already.

    Raises:
        Stale: A higher version is there.
        Poison: The command contradicts a mark.
    """
    if must_write(await read_marks(talk, lot), command):
        await talk.create(
            NOTE_MODEL,
            {"resource": f"stock.lot,{lot.id}", "message": note_of(command)},
            ("id",),
        )
