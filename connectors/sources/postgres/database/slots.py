"""The slot from its making to the first byte read: every doubt is a named refusal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.sources.postgres.database import invariant
from connectors.sources.postgres.database.published import SENDER_MS
from connectors.sources.postgres.log import commands
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.log.link import Link
    from connectors.sources.postgres.settings import PostgresSettings

NO_TIMEOUT_S = 120.0
"""How long a server may be silent that has no time-out of its own."""
_WAITED_FOR = "select current_setting('synchronized_standby_slots', true)"
_END = "select pg_current_wal_flush_lsn() - '0/0'::pg_lsn"
_STANDBY = "select pg_is_in_recovery()"
_log = logging.getLogger(__name__)


def primary(settings: PostgresSettings, catalog: Catalog) -> None:
    """Check that the server takes writes.

    Raises:
        Transient: It is a standby.
    """
    invariant.primary(settings, standby=bool(catalog.value(_STANDBY)))


def create(
    settings: PostgresSettings, catalog: Catalog, link: Link, *, export: bool
) -> tuple[int, str | None]:
    """Make the slot; see `commands.create_slot`.

    Raises:
        Misconfigured: The server has no failover slots, and one is wanted.
    """
    failover = _failover(settings, catalog)
    return commands.create_slot(
        link, settings.slot, version=catalog.version, export=export, failover=failover
    )


def ready(settings: PostgresSettings, catalog: Catalog, link: Link, stored: int) -> None:
    """Check the slot before it is read from the stored position on.

    Raises:
        Misconfigured: The slot is gone, lost its log, belongs elsewhere, or moved past us.
        Transient: Someone reads it.
    """
    state = catalog.slot(settings.slot)
    invariant.slot(settings, stored, state)
    invariant.free(settings, state)
    if _failover(settings, catalog) and state is not None and not state.failover:
        commands.make_failover_slot(link, settings.slot)
        _log.info("slot %s of source %s is a failover slot now", settings.slot, settings.source)


def still(settings: PostgresSettings, catalog: Catalog, stored: int) -> None:
    """Check, while the log is read, that slot and server still fit the stored position.

    Raises:
        Misconfigured: They no longer do.
    """
    state = catalog.slot(settings.slot)
    invariant.slot(settings, stored, state)
    invariant.reached(settings, stored, int(catalog.value(_END)))
    if state is not None and state.wal_status == "unreserved":
        _log.warning(
            "slot %s of source %s is about to lose its log (%s bytes retained): "
            "raise max_slot_wal_keep_size or find out why this source is behind",
            settings.slot,
            settings.source,
            state.retained,
        )


def silence_s(catalog: Catalog) -> float:
    """How long the server may say nothing before the connection counts as dead.

    A server that is alive speaks at least twice in `wal_sender_timeout`; two of them are waited
    for.
    """
    timeout_s = int(catalog.value(SENDER_MS)) / 1000
    return 2 * timeout_s or NO_TIMEOUT_S


def _failover(settings: PostgresSettings, catalog: Catalog) -> bool:
    """Whether standbys are given a copy of the slot."""
    if not settings.slot_failover:
        return False
    if catalog.version < commands.FAILOVER_SINCE:
        raise Misconfigured(
            f"Source {settings.source} wants a failover slot, which PostgreSQL has from version 17 "
            f"on; the server is version {catalog.version // 10_000}",
            code="slot_failover",
            kept=invariant.KEPT,
            advice="upgrade the server, or set slot_failover to false and, after a failover, begin "
            "again with a new snapshot",
        )
    if not catalog.value(_WAITED_FOR):
        _log.warning(
            "source %s has a failover slot, but synchronized_standby_slots is empty: it may "
            "publish what a standby that takes over never received",
            settings.source,
        )
    return True
