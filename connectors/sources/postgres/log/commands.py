"""Replication commands that are run before the stream starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.log import frames
from connectors.sources.postgres.names import quoted

if TYPE_CHECKING:
    from connectors.sources.postgres.log.link import Link


def create_slot(link: Link, slot: str, *, version: int, export: bool) -> tuple[int, str | None]:
    """Create the slot.

    Args:
        link: A replication connection; it must stay open and idle while the snapshot is used.
        slot: Name of the slot.
        version: The server's version number, e.g. 150018.
        export: Export a snapshot of the slot's starting point.

    Returns:
        The consistent point, and the snapshot's name if one was exported.
    """
    if version >= 150_000:
        option = "(SNAPSHOT 'export')" if export else "(SNAPSHOT 'nothing')"
    else:
        option = "EXPORT_SNAPSHOT" if export else "NOEXPORT_SNAPSHOT"
    row = link.command(f"CREATE_REPLICATION_SLOT {quoted(slot)} LOGICAL pgoutput {option}")
    return frames.read_lsn(row[1] or "0/0"), row[2]


def drop_slot(link: Link, slot: str) -> None:
    """Drop a slot that is not in use."""
    link.command(f"DROP_REPLICATION_SLOT {quoted(slot)}")


def identify(link: Link) -> tuple[str, int, int]:
    """Ask who the server is.

    Returns:
        System identifier, timeline, and the end of its log.
    """
    row = link.command("IDENTIFY_SYSTEM")
    return str(row[0]), int(row[1] or 0), frames.read_lsn(row[2] or "0/0")
