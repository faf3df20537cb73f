"""What the source's catalogue says: tables, types, the slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from connectors.sources.postgres.database.failures import of_psycopg, refused_connection
from connectors.sources.postgres.log.frames import read_lsn
from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.names import place_of, session_dsn
from connectors.sources.postgres.shape.plan import TableFacts
from connectors.sources.postgres.shape.types import TypeFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = """
select t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, t.typdelim,
       case when t.typcategory = 'A' then t.typelem else 0 end as element,
       coalesce((select array_agg(e.enumlabel order by e.enumsortorder)
                 from pg_enum e where e.enumtypid = t.oid), '{}') as labels
from pg_type t
where t.typtype in ('e', 'd', 'c', 'r', 'm') or t.typcategory = 'A'
"""

_FACTS = """
select a.attname, a.attnotnull, coalesce(a.attnum = any(i.indkey), false) as in_key
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where n.nspname = %s and c.relname = %s
"""

_PUBLISHED = """
select p.schemaname, p.tablename, c.oid, c.relreplident, c.relkind,
       to_jsonb(p) -> 'attnames' as names, to_jsonb(p) ->> 'rowfilter' as row_filter,
       exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) as has_key,
       has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage') as readable,
       row_security_active(c.oid) as hidden
from pg_publication_tables p
join pg_namespace n on n.nspname = p.schemaname
join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = %s
order by 1, 2
"""

_COLUMNS = """
select a.attname, a.atttypid, a.atttypmod, a.attgenerated <> '' as generated,
       coalesce(a.attnum = any(k.indkey), false) as in_key,
       coalesce(a.attnum = any(r.indkey), false) as in_identity
from pg_attribute a
left join pg_index k on k.indrelid = a.attrelid and k.indisprimary
left join pg_index r on r.indrelid = a.attrelid and r.indisreplident
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""

_SLOT = """
select slot_type, plugin, database, active, wal_status, confirmed_flush_lsn::text as confirmed,
       to_jsonb(s) ->> 'invalidation_reason' as reason, current_database() as here,
       pg_wal_lsn_diff(
           case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                else pg_current_wal_lsn() end, restart_lsn)::bigint as retained
from pg_replication_slots s where slot_name = %s
"""


GENERATED_SINCE = 180_000
"""The first version that publishes generated columns, where the publication asks for it."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published table.

    Attributes:
        relation: Its shape, as the log would describe it.
        kind: `r` table, `p` partitioned table.
        has_key: It has a primary key.
        readable: The source's role may select from it.
        hidden: Row-level security hides rows from that role.
        row_filter: The publication's row filter as SQL, or empty.
    """

    relation: Relation
    kind: str
    has_key: bool
    readable: bool
    hidden: bool
    row_filter: str

    @property
    def name(self) -> str:
        """`schema.table`."""
        return f"{self.relation.schema}.{self.relation.table}"


@dataclass(frozen=True, slots=True)
class SlotState:
    """A replication slot as the server shows it.

    Attributes:
        fits: It is a logical pgoutput slot of this database.
        active: Someone streams from it.
        wal_status: `reserved`, `extended`, `unreserved` or `lost`.
        confirmed: Its confirmed position.
        reason: Why it was invalidated, or empty.
        retained: Bytes of log that it keeps.
    """

    fits: bool
    active: bool
    wal_status: str
    confirmed: int
    reason: str
    retained: int


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
        try:
            self._connection = psycopg.connect(
                session_dsn(dsn), autocommit=True, row_factory=dict_row
            )
        except psycopg.OperationalError as error:
            raise refused_connection(self._where, str(error)) from error

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
            return self._connection.execute(query.encode(), parameters or None).fetchall()
        except psycopg.Error as error:
            raise of_psycopg(error, f"reading the catalogue of {self._where}") from error

    def value(self, query: str, *parameters: Any) -> Any:
        """The only value of a query's first row, None without a row."""
        rows = self.rows(query, *parameters)
        return next(iter(rows[0].values())) if rows else None

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
            )
            for row in self.rows(_TYPES)
        }

    def facts(self, schema: str, table: str) -> TableFacts:
        """Primary key and not-null columns of a table as it is now."""
        rows = self.rows(_FACTS, schema, table)
        return TableFacts(
            primary_key=frozenset(row["attname"] for row in rows if row["in_key"]),
            not_null=frozenset(row["attname"] for row in rows if row["attnotnull"]),
        )

    def published(self, publication: str) -> list[Published]:
        """The tables of a publication, in the order of their names."""
        return [self._published(row) for row in self.rows(_PUBLISHED, publication)]

    def _published(self, row: dict[str, Any]) -> Published:
        identity = row["relreplident"]
        wanted = None if row["names"] is None else set(row["names"])
        may_generate = wanted is not None and self.version >= GENERATED_SINCE
        columns = tuple(
            RelationColumn(
                column["attname"],
                column["atttypid"],
                column["atttypmod"],
                flagged=identity == "f"
                or (identity == "d" and column["in_key"])
                or (identity == "i" and column["in_identity"]),
            )
            for column in self.rows(_COLUMNS, row["oid"])
            if (wanted is None or column["attname"] in wanted)
            and (may_generate or not column["generated"])
        )
        schema, table = row["schemaname"], row["tablename"]
        return Published(
            Relation(row["oid"], schema, table, identity, columns),
            kind=row["relkind"],
            has_key=row["has_key"],
            readable=row["readable"],
            hidden=row["hidden"],
            row_filter=row["row_filter"] or "",
        )

    def slot(self, name: str) -> SlotState | None:
        """The state of a slot; None if there is none."""
        rows = self.rows(_SLOT, name)
        if not rows:
            return None
        row = rows[0]
        return SlotState(
            fits=row["slot_type"] == "logical"
            and row["plugin"] == "pgoutput"
            and row["database"] == row["here"],
            active=row["active"],
            wal_status=row["wal_status"] or "",
            confirmed=read_lsn(row["confirmed"]) if row["confirmed"] else 0,
            reason=row["reason"] or "",
            retained=row["retained"] or 0,
        )
