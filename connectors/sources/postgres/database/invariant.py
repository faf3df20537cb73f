"""What must hold between our stored position, the slot and the server: checked, never assumed.

PostgreSQL does not object when the two disagree; it silently starts elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.sources.postgres.log.frames import lsn_text
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    settings: PostgresSettings, stored: Mapping[str, Any], found: tuple[str, int, int]
) -> None:
    """Check that this is the server we read before.

    Args:
        settings: The source's settings.
        stored: The stored position.
        found: System identifier, timeline, end of the log.

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
    if stored.get("lsn", 0) > end or timeline < stored["timeline"]:
        raise Misconfigured(
            f"Source {settings.source} was read up to {lsn_text(stored.get('lsn', 0))} on "
            f"timeline {stored['timeline']}; the server's log ends at {lsn_text(end)} on timeline "
            f"{timeline}: it was restored, or a standby took over that lacks what we published",
            code="server_behind",
            kept=KEPT,
            advice=f"compare the published rows with the tables; {begin_again(settings)}",
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
            f"Slot {settings.slot} is no pgoutput slot of this database",
            code="slot_foreign",
            kept=KEPT,
            advice="choose another slot name for this source",
        )
    if state.wal_status == "lost" or state.reason:
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
