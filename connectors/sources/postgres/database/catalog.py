"""What the source's catalogue says: tables, types, the slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.rows import dict_row

from connectors.sources.postgres.database.connecting import LEAST_S, UNKNOWN_S, bounded, connected
from connectors.sources.postgres.database.failures import of_psycopg
from connectors.sources.postgres.database.published import (
    CANDIDATES,
    COLUMNS,
    FACTS,
    NAMED,
    SENDER_MS,
    TABLES,
    TYPES,
    Published,
    published_tables,
)
from connectors.sources.postgres.log.frames import read_lsn
from connectors.sources.postgres.names import place_of
from connectors.sources.postgres.shape.plan import TableFacts
from connectors.sources.postgres.shape.types import TypeFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg.pq.abc import PGresult

    from connectors.sources.postgres.checks.finding import Finding

__all__ = ["Catalog", "Published", "SlotState"]

_SLOT = """
select slot_type, plugin, database, active, wal_status, confirmed_flush_lsn::text as confirmed,
       to_jsonb(s) ->> 'invalidation_reason' as reason, current_database() as here,
       s.temporary, coalesce((to_jsonb(s) ->> 'failover')::boolean, false) as failover,
       (select concat_ws(', ', 'process ' || a.pid, 'role ' || a.usename,
                         nullif(a.application_name, ''), host(a.client_addr))
        from pg_stat_activity a where a.pid = s.active_pid) as holder,
       pg_wal_lsn_diff(
           case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                else pg_current_wal_lsn() end, restart_lsn)::bigint as retained
from pg_replication_slots s where slot_name = %s
"""


@dataclass(frozen=True, slots=True)
class SlotState:
    """A replication slot as the server shows it.

    Attributes:
        fits: It is a lasting logical pgoutput slot of this database.
        kind: What it is, in words.
        active: Someone streams from it.
        holder: Who does, as far as the role may know; empty for nobody.
        wal_status: `reserved`, `extended`, `unreserved` or `lost`.
        confirmed: Its confirmed position.
        reason: Why it was invalidated, or empty.
        retained: Bytes of log that it keeps.
        failover: Standbys are given a copy of it.
    """

    fits: bool
    kind: str
    active: bool
    holder: str
    wal_status: str
    confirmed: int
    reason: str
    retained: int
    failover: bool


class Catalog:
    """A plain SQL connection to the source.

    Args:
        dsn: Connection string.

    Raises:
        Misconfigured: The server refuses the connection.
        Transient: The server is not reachable.
    """

    def __init__(self, dsn: str) -> None:
        self._where = place_of(dsn)
        self.told: set[Finding] = set()
        """Warnings that were given already."""
        self.patience_s = UNKNOWN_S
        """How long an answer may take before the server counts as dead."""
        self._connection = connected(dsn)
        self._connection.row_factory = dict_row
        self.patience_s = max(LEAST_S, 2 * int(self.value(SENDER_MS)) / 1000 or UNKNOWN_S)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def version(self) -> int:
        """The server's version number, e.g. 180004."""
        return self._connection.info.server_version

    @property
    def database(self) -> str:
        """The database's name."""
        return self._connection.info.dbname

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run a query.

        Raises:
            Misconfigured: The server refuses it.
            Transient: The connection broke.
        """
        try:
            with bounded(self._connection.pgconn, self.patience_s, self._where):
                return self._connection.execute(query.encode(), parameters or None).fetchall()
        except psycopg.Error as error:
            raise of_psycopg(error, f"reading the catalogue of {self._where}") from error

    def value(self, query: str, *parameters: Any) -> Any:
        """The only value of a query's first row, None without a row."""
        rows = self.rows(query, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def text_of(self, oid: int, value: bytes) -> bytes:
        """The text of a value that is given in its type's binary form.

        Raises:
            ValueError: The server does not take it for a value of the type.
            Transient: The connection broke.
        """
        result = self._asked(b"select $1", [value], [oid], [1])
        found = result.get_value(0, 0) if result.status == pq.ExecStatus.TUPLES_OK else None
        if found is None:
            raise ValueError(f"type {oid}: {result.error_message.decode(errors='replace')}")
        return found

    def row_text(self, query: str, parameters: list[bytes | None]) -> list[bytes | None] | None:
        """The only row of a query in the server's text form; None if there is none.

        Also None where the role may not read it.

        Args:
            query: With `$1` and so on for the parameters.
            parameters: Values in the server's text form.

        Raises:
            Transient: The connection broke.
        """
        result = self._asked(query.encode(), parameters)
        if result.status != pq.ExecStatus.TUPLES_OK or result.ntuples != 1:
            return None
        return [result.get_value(0, column) for column in range(result.nfields)]

    def _asked(self, query: bytes, parameters: list[bytes | None], *types: Any) -> PGresult:
        """A query's result; a connection that broke is no answer about a value or a row."""
        server, doing = self._connection.pgconn, f"asking {self._where} for a row or a value"
        try:
            with bounded(server, self.patience_s, self._where):
                result = server.exec_params(query, parameters, *types)
        except psycopg.Error as error:
            raise of_psycopg(error, doing) from error
        if server.status != pq.ConnStatus.OK:
            raise of_psycopg(psycopg.OperationalError(result.error_message.decode()), doing)
        return result

    def types(self) -> Mapping[int, TypeFacts]:
        """All types whose meaning is not fixed by their number."""
        return {
            row["oid"]: TypeFacts(
                name=row["typname"],
                kind=row["typtype"],
                base=row["typbasetype"],
                base_typmod=row["typtypmod"],
                element=row["element"],
                delimiter=row["typdelim"],
                labels=tuple(row["labels"]),
                subtype=row["subtype"],
                fields=tuple(row["fields"]),
                send=row["send"],
            )
            for row in self.rows(TYPES)
        }

    def facts(self, schema: str, table: str) -> TableFacts:
        """Primary key, not-null columns and defaults of a table as it is now."""
        rows = self.rows(FACTS, schema, table)
        keyed = [row for row in rows if row["place"] is not None]
        return TableFacts(
            primary_key=frozenset(row["attname"] for row in keyed),
            key_order={row["attname"]: row["place"] for row in keyed},
            not_null=frozenset(row["attname"] for row in rows if row["attnotnull"]),
            defaults={row["attname"]: row["default_sql"] for row in rows if row["default_sql"]},
            columns=frozenset(row["attname"] for row in rows),
        )

    def published(self, publication: str) -> list[Published]:
        """The tables of a publication, in the order of their names."""
        return self._tables(TABLES, publication)

    def named(self, names: list[str]) -> list[Published]:
        """Tables by `schema.table` as a publication of the whole of them would have them."""
        return self._tables(NAMED, names)

    def _tables(self, query: str, wanted: str | list[str]) -> list[Published]:
        tables = self.rows(query, wanted)
        columns = self.rows(COLUMNS, [table["oid"] for table in tables])
        return published_tables(tables, columns, self.version)

    def candidates(self, tables: Iterable[Published]) -> dict[int, str]:
        """Per table (by its number) a unique index that could be its replica identity."""
        oids = [table.relation.oid for table in tables]
        return {row["table"]: row["index"] for row in self.rows(CANDIDATES, oids)}

    def slot(self, name: str) -> SlotState | None:
        """The state of a slot; None if there is none."""
        rows = self.rows(_SLOT, name)
        if not rows:
            return None
        row = rows[0]
        return SlotState(
            fits=row["slot_type"] == "logical"
            and row["plugin"] == "pgoutput"
            and row["database"] == row["here"]
            and not row["temporary"],
            kind=f"{row['slot_type']}, plugin {row['plugin'] or 'none'}, database "
            f"{row['database'] or 'none'}{', temporary' if row['temporary'] else ''}",
            active=row["active"],
            holder=(row["holder"] or "a process that left") if row["active"] else "",
            wal_status=row["wal_status"] or "",
            confirmed=read_lsn(row["confirmed"]) if row["confirmed"] else 0,
            reason=row["reason"] or "",
            retained=row["retained"] or 0,
            failover=row["failover"],
        )
