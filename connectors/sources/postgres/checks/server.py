"""Checks of the server, its settings and the source's role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.sources.postgres.checks.finding import Finding, error, warning
from connectors.sources.postgres.names import quoted
from streams.runtime.connection_string import parts_of

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.settings import PostgresSettings

OLDEST = 140_000
"""The oldest server that this source is written for, as the server counts versions."""
STANDBY_SINCE = 160_000
"""The first version that decodes on a standby."""
CONNECTIONS = 4
"""Catalogue, log, figures, and the leader of a snapshot; its readers come on top."""
SOON_DAYS = 30
NEAR = ("localhost", "127.0.0.1", "::1")
VERIFIED = ("verify-ca", "verify-full")
_ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
SHORT_TIMEOUT_MS = 10_000
RESTART = "-- and restart the server"
_STATE = """
select current_setting('wal_level') as wal_level,
       current_setting('max_replication_slots')::int as most_slots,
       (select count(*) from pg_replication_slots) as slots,
       current_setting('max_wal_senders')::int as most_senders,
       (select count(*) from pg_stat_get_wal_senders()) as senders,
       (select setting::bigint from pg_settings where name = 'wal_sender_timeout') as sender_ms,
       (select setting::bigint from pg_settings where name = 'max_slot_wal_keep_size') as keep_mb,
       current_setting('server_encoding') as encoding,
       pg_is_in_recovery() as standby
"""
_ROLE = """
select rolname, rolsuper, rolreplication, rolconnlimit,
       rolvaliduntil < now() + interval '%d days' as ends_soon, rolvaliduntil::text as ends,
       has_database_privilege(current_database(), 'connect') as may_connect
from pg_roles where rolname = current_user
"""
_SLOT = """
select slot_type, plugin, database, temporary, active_pid, wal_status,
       to_jsonb(s) ->> 'two_phase' = 'true' as two_phase,
       to_jsonb(s) ->> 'failover' = 'true' as failover,
       coalesce(current_setting('synchronized_standby_slots', true), '') as waited_for,
       current_database() as here
from pg_replication_slots s where slot_name = %s
"""


def server(catalog: Catalog, settings: PostgresSettings) -> list[Finding]:
    """Check the server's version, settings and room."""
    state = catalog.rows(_STATE)[0]
    found = []
    if catalog.version < OLDEST:
        found.append(
            error(
                "server_version",
                "server",
                f"The server is older than PostgreSQL {OLDEST // 10_000}; upgrade it",
            )
        )
    if state["standby"] and catalog.version < STANDBY_SINCE:
        text = "The server is a standby, which PostgreSQL can read like this from version 16 on"
        found.append(error("standby", "server", f"{text}; connect to the primary"))
    if state["wal_level"] != "logical":
        text = f"The server's wal_level is {state['wal_level']}, not logical"
        sql = f"ALTER SYSTEM SET wal_level = 'logical'; {RESTART}"
        found.append(error("wal_level", "server", text, sql))
    found += wire(settings, encrypted=bool(catalog.value(_ENCRYPTED)))
    return [*found, *_room(catalog, settings, state), *_habits(state)]


def _room(catalog: Catalog, settings: PostgresSettings, state: dict[str, Any]) -> list[Finding]:
    found = []
    slot = catalog.slot(settings.slot)
    if slot is None and state["slots"] >= state["most_slots"]:
        text = (
            f"All {state['most_slots']} replication slots are taken; drop an unused one, see "
            "pg_replication_slots, or make room"
        )
        sql = f"ALTER SYSTEM SET max_replication_slots = {state['most_slots'] + 5}; {RESTART}"
        found.append(error("slots_taken", "server", text, sql))
    if (slot is None or not slot.active) and state["senders"] >= state["most_senders"]:
        text = (
            f"All {state['most_senders']} WAL senders are in use, see pg_stat_replication; make "
            "room"
        )
        sql = f"ALTER SYSTEM SET max_wal_senders = {state['most_senders'] + 5}; {RESTART}"
        found.append(error("senders_taken", "server", text, sql))
    return found


def _habits(state: dict[str, Any]) -> list[Finding]:
    """Settings that work, until the day on which they do not."""
    found = []
    if state["keep_mb"] < 0:
        text = (
            "max_slot_wal_keep_size is unlimited: while this source is away the log fills the disk "
            "until the server stops; limit it to what the disk can spare"
        )
        sql = "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();"
        found.append(warning("wal_unlimited", "server", text, sql))
    if not state["sender_ms"] or state["sender_ms"] < SHORT_TIMEOUT_MS:
        how = "0: a dead connection keeps the slot" if not state["sender_ms"] else "below 10 s"
        sql = "ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();"
        found.append(warning("wal_sender_timeout", "server", f"wal_sender_timeout is {how}", sql))
    if state["encoding"] == "SQL_ASCII":
        text = (
            "The database's encoding is SQL_ASCII, which checks nothing: a row with text that is "
            "not UTF-8 becomes a dead letter; move the database to UTF8"
        )
        found.append(warning("encoding", "server", text))
    return found


def wire(settings: PostgresSettings, *, encrypted: bool) -> list[Finding]:
    """Check who may read along between server and source.

    Args:
        settings: The source's settings.
        encrypted: The server sees the connection encrypted.
    """
    parts = parts_of(settings.dsn)
    host, mode = str(parts.get("host", "")), str(parts.get("sslmode", "prefer"))
    if not host or host.startswith("/") or host in NEAR:
        return []
    if not encrypted:
        text = (
            f"The connection to {host} is not encrypted: rows travel in the clear; allow TLS in "
            "the server and give the connection string sslmode=verify-full and sslrootcert"
        )
        return [warning("not_encrypted", "server", text)]
    if mode not in VERIFIED:
        text = (
            f"The connection to {host} is encrypted, but nobody checks whose server it is "
            f"(sslmode={mode}); give the connection string sslmode=verify-full and sslrootcert"
        )
        return [warning("not_verified", "server", text)]
    return []


def connections(settings: PostgresSettings) -> int:
    """How many connections a source may open at once."""
    return CONNECTIONS + settings.snapshot_workers


def role(catalog: Catalog, settings: PostgresSettings) -> list[Finding]:
    """Check the source's role."""
    row = catalog.rows(_ROLE % SOON_DAYS)[0]
    name, found, needed = row["rolname"], [], connections(settings)
    if not (row["rolreplication"] or row["rolsuper"]):
        sql = f"ALTER ROLE {quoted(name)} REPLICATION;"
        found.append(error("replication", name, f"Role {name} may not replicate", sql))
    if not row["may_connect"]:
        sql = f"GRANT CONNECT ON DATABASE {quoted(catalog.database)} TO {quoted(name)};"
        found.append(error("connect", name, f"Role {name} may not connect", sql))
    if 0 <= row["rolconnlimit"] < needed:
        text = f"Role {name} may open {row['rolconnlimit']} connections, {needed} are needed"
        sql = f"ALTER ROLE {quoted(name)} CONNECTION LIMIT {2 * needed};"
        found.append(error("connection_limit", name, text, sql))
    if row["rolsuper"]:
        text = (
            f"Role {name} is a superuser; `lotgate cdc grants` prints a role with only what is "
            "needed"
        )
        found.append(warning("superuser", name, text))
    if row["ends_soon"]:
        text = f"Role {name} is valid until {row['ends']} only"
        sql = f"ALTER ROLE {quoted(name)} VALID UNTIL 'infinity';"
        found.append(warning("valid_until", name, text, sql))
    return found


def slot(catalog: Catalog, settings: PostgresSettings) -> list[Finding]:
    """Check the source's slot, where there is one already."""
    rows = catalog.rows(_SLOT, settings.slot)
    if not rows:
        return []
    row, name = rows[0], settings.slot
    drop = f"SELECT pg_drop_replication_slot('{name}');"
    kind = (row["slot_type"], row["plugin"] or "none", row["database"] or "none")
    found = []
    if kind != ("logical", "pgoutput", row["here"]) or row["temporary"]:
        text = (
            f"Slot {name} is a {'temporary ' if row['temporary'] else ''}{kind[0]} slot of "
            f"database {kind[2]} with plugin {kind[1]}, so that it is not this source's; choose "
            "another name in LOTGATE_SOURCE_SLOT, or, if nobody needs it"
        )
        return [error("slot_foreign", name, text, drop)]
    if row["wal_status"] == "lost":
        text = (
            f"Slot {name} has lost its log: what was written since cannot be read any more; drop "
            "it, `lotgate cdc forget`, and begin with a new snapshot"
        )
        found.append(error("slot_lost", name, text, drop))
    if row["wal_status"] == "unreserved":
        text = f"Slot {name} is about to lose its log: raise the limit, start this source soon"
        sql = "ALTER SYSTEM SET max_slot_wal_keep_size = '200GB'; SELECT pg_reload_conf();"
        found.append(warning("slot_unreserved", name, text, sql))
    if row["two_phase"]:
        text = f"Slot {name} sends prepared transactions, which this source does not read"
        found.append(error("slot_two_phase", name, text, drop))
    if row["failover"] and not row["waited_for"]:
        text = (
            f"Slot {name} is a failover slot, but synchronized_standby_slots is empty: this source "
            "may be ahead of a standby that takes over"
        )
        sql = "ALTER SYSTEM SET synchronized_standby_slots = '<the standby's slot>';"
        found.append(warning("slot_failover", name, text, sql))
    return found
