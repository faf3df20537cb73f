"""Replication commands that are run before the stream starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.log import frames
from connectors.sources.postgres.names import quoted

if TYPE_CHECKING:
    from connectors.sources.postgres.log.link import Link


FAILOVER_SINCE = 170_000
"""The first version whose standbys are given copies of slots, as the server counts versions."""


def create_slot(
    link: Link, slot: str, *, version: int, export: bool, failover: bool = False
) -> tuple[int, str | None]:
    """Create the slot.

    Args:
        link: A replication connection; it must stay open and idle while the snapshot is used.
        slot: Name of the slot.
        version: The server's version number, e.g. 150018.
        export: Export a snapshot of the slot's starting point.
        failover: Let standbys have a copy of it; from `FAILOVER_SINCE` on.

    Returns:
        The consistent point, and the snapshot's name if one was exported.
    """
    if version >= 150_000:
        more = ", FAILOVER" if failover else ""
        option = f"(SNAPSHOT '{'export' if export else 'nothing'}'{more})"
    else:
        option = "EXPORT_SNAPSHOT" if export else "NOEXPORT_SNAPSHOT"
    row = link.command(f"CREATE_REPLICATION_SLOT {quoted(slot)} LOGICAL pgoutput {option}")
    return frames.read_lsn(row[1] or "0/0"), row[2]


def make_failover_slot(link: Link, slot: str) -> None:
    """Let standbys have a copy of a slot that is there already and not in use."""
    link.command(f"ALTER_REPLICATION_SLOT {quoted(slot)} (FAILOVER true)")


def drop_slot(link: Link, slot: str) -> None:
    """Drop a slot that is not in use."""
    link.command(f"DROP_REPLICATION_SLOT {quoted(slot)}")


def timeline_history(link: Link, timeline: int) -> str:
    """The history of a timeline: where it left each one before it."""
    return link.command(f"TIMELINE_HISTORY {timeline}")[1] or ""


def identify(link: Link) -> tuple[str, int, int]:
    """Ask who the server is.

    Returns:
        System identifier, timeline, and the end of its log.
    """
    row = link.command("IDENTIFY_SYSTEM")
    return str(row[0]), int(row[1] or 0), frames.read_lsn(row[2] or "0/0")
