"""What must hold between our stored position, the slot and the server: checked, never assumed.

PostgreSQL does not object when the two disagree; it silently starts elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.sources.postgres.database.failures import SLOT_IN_USE
from connectors.sources.postgres.log.frames import lsn_text, read_lsn
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.sources.postgres.database.catalog import SlotState
    from connectors.sources.postgres.settings import PostgresSettings

KEPT = "nothing was read, confirmed or changed"


def begin_again(settings: PostgresSettings) -> str:
    """Advice that takes a new snapshot."""
    return (
        f"to begin again with a new snapshot: SELECT pg_drop_replication_slot('{settings.slot}') "
        f"where the slot still exists, `lotgate cdc forget {settings.source}-cdc`, and start it"
    )


def no_position(settings: PostgresSettings, slot: SlotState | None) -> None:
    """Check a source that was never read.

    Raises:
        Misconfigured: A slot of that name is already there.
    """
    if slot is None:
        return
    raise Misconfigured(
        f"Slot {settings.slot} exists, but no position of source {settings.source} is stored: "
        "someone else's slot, or the stored position was lost",
        code="slot_without_position",
        kept=KEPT,
        advice=f"choose another slot name, or, {begin_again(settings)}",
    )


def server(
    settings: PostgresSettings,
    stored: Mapping[str, Any],
    found: tuple[str, int, int],
    history: Callable[[], str],
) -> None:
    """Check that this is the server we read before, or one that took over with all we published.

    Args:
        settings: The source's settings.
        stored: The stored position.
        found: System identifier, timeline, end of the log.
        history: Reads the history of the server's timeline; called if it is another one.

    Raises:
        Misconfigured: Another server, or one that lost transactions which were published.
    """
    system_id, timeline, end = found
    if stored["system_id"] != system_id:
        raise Misconfigured(
            f"Source {settings.source} was read from server {stored['system_id']}; the connection "
            f"string now leads to server {system_id}",
            code="system_changed",
            kept=KEPT,
            advice=f"correct the connection string; if the server was replaced: "
            f"{begin_again(settings)}",
        )
    reached, ours = stored.get("lsn", 0), stored["timeline"]
    where = f"Source {settings.source} was read up to {lsn_text(reached)} on timeline {ours}"
    if timeline > ours:
        _followed(settings, where, reached, switch_point(history(), ours), (ours, timeline))
    if reached > end or timeline < ours:
        raise _behind(
            settings,
            f"{where}; the server's log ends at {lsn_text(end)} on timeline {timeline}: it was "
            "restored, or a standby took over that lacks what we published",
        )


def _followed(
    settings: PostgresSettings,
    where: str,
    reached: int,
    switch: int | None,
    timelines: tuple[int, int],
) -> None:
    """Check that the server's new timeline holds everything that was published."""
    old, new = timelines
    if switch is None:
        raise Misconfigured(
            f"{where}; the server is on timeline {new}, which does not come from timeline {old}",
            code="timeline_foreign",
            kept=KEPT,
            advice=f"correct the connection string, or, {begin_again(settings)}",
        )
    if reached > switch:
        raise _behind(
            settings,
            f"{where}; the server's timeline {new} left it at {lsn_text(switch)}: what was "
            "committed between the two was published, and is not in the database that took over",
        )


def _behind(settings: PostgresSettings, text: str) -> Misconfigured:
    return Misconfigured(
        text,
        code="server_behind",
        kept=KEPT,
        advice=f"compare the published rows with the tables; {begin_again(settings)}",
    )


def switch_point(history: str, timeline: int) -> int | None:
    """Where a server's history left a timeline.

    Args:
        history: A timeline's history file: a line for each timeline before it, with its number
            and the position at which the next one left it.
        timeline: The number of the timeline that was left.

    Returns:
        The position, None if the history does not know the timeline.
    """
    for line in history.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == str(timeline):
            return read_lsn(words[1])
    return None


def primary(settings: PostgresSettings, *, standby: bool) -> None:
    """Check that the server takes writes; after a failover that is a matter of time.

    A standby's copy of the slot cannot be read, and a position read there would name a timeline
    that ends with its promotion.

    Raises:
        Transient: It is a standby.
    """
    if standby:
        raise Transient(
            f"The server of source {settings.source} is a standby",
            code="server_standby",
            kept=KEPT,
            advice="promote it, or let the connection string lead to the primary "
            "(several hosts and target_session_attrs=read-write)",
        )


def slot(settings: PostgresSettings, stored: int, state: SlotState | None) -> None:
    """Check the slot against the stored position.

    Raises:
        Misconfigured: The slot is gone, lost its log, belongs elsewhere, or moved past us.
    """
    if state is None:
        raise Misconfigured(
            f"Slot {settings.slot} of source {settings.source} is gone, and with it the log from "
            f"{lsn_text(stored)} on",
            code="slot_missing",
            kept=KEPT,
            advice=begin_again(settings),
        )
    if not state.fits:
        raise Misconfigured(
            f"Slot {settings.slot} is someone else's: {state.kind}",
            code="slot_foreign",
            kept=KEPT,
            advice="choose another slot name for this source",
        )
    if state.wal_status == "lost" or state.reason not in ("", "none"):
        raise Misconfigured(
            f"Slot {settings.slot} is invalid ({state.reason or 'its log was removed'}); changes "
            f"from {lsn_text(stored)} on can no longer be read",
            code="slot_lost",
            kept=KEPT,
            advice=f"raise max_slot_wal_keep_size; {begin_again(settings)}",
        )
    if state.confirmed > stored:
        raise Misconfigured(
            f"Slot {settings.slot} is confirmed up to {lsn_text(state.confirmed)}, past the stored "
            f"position {lsn_text(stored)}: it was made again or read by someone else, and what "
            "lies between was never published",
            code="slot_ahead",
            kept=KEPT,
            advice=begin_again(settings),
        )


def free(settings: PostgresSettings, state: SlotState | None) -> None:
    """Check that nobody else reads the slot.

    Raises:
        Transient: Someone does: our own former connection, which the server has yet to give up,
            or another reader.
    """
    if state is not None and state.active:
        raise Transient(
            f"Slot {settings.slot} of source {settings.source} is being read by {state.holder}",
            code=SLOT_IN_USE,
            kept=KEPT,
            advice="end that reader, or give this source a slot of its own; a connection that "
            "died is given up after wal_sender_timeout",
        )


def reached(settings: PostgresSettings, stored: int, end: int) -> None:
    """Check, while the log is read, that the server still has what was published.

    Raises:
        Misconfigured: Its log ends before the stored position.
    """
    if stored > end:
        raise _behind(
            settings,
            f"Source {settings.source} was read up to {lsn_text(stored)}; the server's log ends "
            f"at {lsn_text(end)}",
        )
