"""Generated row code against the long way: the same log as text and in binary form."""

from __future__ import annotations

import io
import secrets
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fastavro
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.log.assembler import Assembler
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.names import session_dsn
from connectors.sources.postgres.shape.tables import Table, Tables
from tests.live.cdc_values import TYPES, VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localstack import Addresses

    from connectors.base import Change, TableShape
    from connectors.sources.postgres.log.pgoutput import Relation

pytestmark = pytest.mark.urs("M2.4", "M5.6")

SETTINGS = PostgresSettings("erp", "", "P1", "", "slot", "every", version="1")
ORIGIN = Origin("42", "plant", {"phase": "stream"})
UNLOGGED = {"xid", "cid", "tid"}
"""Types that have no place in a table of a test that reads tables back."""


class Frames:
    """Topics without a broker: frames that number the schemas."""

    def __init__(self) -> None:
        self.schemas: list[dict[str, Any] | None] = []

    def announce(self, topics: Sequence[str]) -> None:
        """Nothing is to be made ready."""

    def told(self, topic: str) -> Iterator[Any]:  # noqa: ARG002
        """Nothing was told before."""
        return iter(())

    def bind(
        self,
        topic: str,  # noqa: ARG002 - part of the protocol
        key: dict[str, Any] | None,
        value: dict[str, Any],
        shape: TableShape | None = None,  # noqa: ARG002
    ) -> tuple[bytes, bytes]:
        self.schemas += [key, value]
        count = len(self.schemas)
        return struct.pack(">xI", count - 2), struct.pack(">xI", count - 1)


class LongWay(Tables):
    """Tables whose rows all go the long way."""

    def learn(self, relation: Relation, *, refresh: bool = False) -> Table:
        table = replace(super().learn(relation, refresh=refresh), encoder=None)
        self._by_oid[relation.oid] = table
        return table


@pytest.fixture(scope="module")
def dsn(database: Addresses) -> Iterator[str]:
    """A database of this module's own, with a slot and types of its users' own."""
    name = f"cdc{secrets.token_hex(4)}"
    with psycopg.connect(database.admin_dsn, autocommit=True) as server:
        server.execute(f"create database {name}".encode())
        made = session_dsn(make_conninfo(database.admin_dsn, dbname=name))
        with psycopg.connect(made, autocommit=True) as inside:
            for statement in TYPES:
                inside.execute(statement.encode())
            inside.execute("create publication every for all tables")
            inside.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        yield made
        with psycopg.connect(made, autocommit=True) as inside:
            inside.execute("select pg_drop_replication_slot(%s)", (name,))
        server.execute(f"drop database {name} with (force)".encode())


def logged(dsn: str, *, binary: bool) -> list[bytes]:
    """The frames that the slot would send."""
    query = """
        select lsn - '0/0'::pg_lsn, data from pg_logical_slot_peek_binary_changes(
            current_database(), null, null, 'proto_version', '1', 'publication_names', 'every',
            'binary', %s)
    """
    with psycopg.connect(dsn, autocommit=True) as server:
        rows = server.execute(query, (str(binary).lower(),)).fetchall()
    return [b"w" + struct.pack(">QQq", int(lsn), 0, 0) + data for lsn, data in rows]


def forget(dsn: str) -> None:
    """Move the slot behind what was logged."""
    with psycopg.connect(dsn, autocommit=True) as server:
        end = "pg_current_wal_lsn()"
        server.execute(f"select pg_replication_slot_advance(current_database(), {end})".encode())


def carried(
    dsn: str, stream: list[bytes], kind: type[Tables], **more: Any
) -> tuple[list[Change], Frames, Assembler]:
    """What a session makes of frames."""
    settings = replace(SETTINGS, dsn=dsn, **more)
    catalog, topics = Catalog(dsn), Frames()
    try:
        assembler = Assembler(settings, ORIGIN, kind(settings, catalog, topics), 1)
        return list(assembler.feed(stream, 5_000_000)), topics, assembler
    finally:
        catalog.close()


def run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as server:
        for statement in statements:
            server.execute(statement.encode())


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("compat", ["", "debezium"])
@pytest.mark.parametrize("identity", ["default", "full", "using index one_i"])
def test_both_forms_of_one_log_lead_to_the_same_records(
    identity: str, compat: str, dsn: str
) -> None:
    kinds = [kind for kind in VALUES if kind not in UNLOGGED]
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
    rows = max(len(VALUES[kind]) for kind in kinds)
    inserts = [
        "insert into one values ({}, {}, {})".format(
            row,
            row + 1000,
            ", ".join(
                literal(VALUES[kind][row]) if row < len(VALUES[kind]) else "null" for kind in kinds
            ),
        )
        for row in range(rows)
    ]
    run(
        dsn,
        "drop table if exists one",
        f"create table one (id int primary key, other bigint not null, {columns})",
        "create unique index one_i on one (other)",
        f"alter table one replica identity {identity}",
    )
    forget(dsn)
    run(
        dsn,
        *inserts,
        "update one set c0 = not c0",
        "update one set other = other + 5000 where id % 3 = 1",
        "update one set id = id + 500 where id % 5 = 1",
        f"update one set c{kinds.index('text')} = (select string_agg(md5(n::text), '') "
        "from generate_series(1, 400) n) where id < 4",
        "update one set c0 = not c0 where id < 4",
        "delete from one where id % 2 = 0",
        "alter table one drop column c1",
        "begin; insert into one values (2001, 1), (2002, 2); delete from one; commit",
    )
    as_text, _, _ = carried(dsn, logged(dsn, binary=False), Tables, compat=compat)
    stream = logged(dsn, binary=True)
    long_way, _, _ = carried(dsn, stream, LongWay, compat=compat)
    short, topics, _ = carried(dsn, stream, Tables, compat=compat)
    assert len(short) == len(as_text) > rows
    for text, long, fast in zip(as_text, long_way, short, strict=True):
        assert [record.value for record in long.records] == [r.value for r in text.records]
        assert long.records == text.records
        assert fast.records == text.records
        assert (fast.rows, fast.position) == (text.rows, text.position)
        assert [row.cause[:200] for row in (*text.dead, *fast.dead)] == []
    if not compat:  # the other's schema of a numeric with a negative scale cannot be read
        readable(short, topics)


def readable(changes: list[Change], topics: Frames) -> None:
    """Every key and value is Avro of its schema, to the last byte."""
    for change in changes:
        for record in change.records:
            for payload in (record.key, record.value):
                if payload is None:
                    continue
                body = io.BytesIO(payload)
                schema = topics.schemas[struct.unpack(">xI", body.read(5))[0]]
                assert schema is not None
                fastavro.schemaless_reader(body, schema, None)
                assert body.read() == b""
