"""Runs a directory's changes on a real server, one source for each form, and reads all back."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from confluent_kafka.admin import AdminClient

from streams.contracts.topics import schema_changes
from streams.engine import describe, read_partition
from tests.conformance.oracle import DEFAULT, HEARTBEAT, SNAPSHOT
from tests.conformance.selected import problems, tables
from tests.conformance.wire import Event, Reader
from tests.live.test_cdc_support import PUBLICATION, Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.oracle import Case, Form, Oracle
    from tests.live.test_cdc_support import Running

DEBEZIUM_LIKE: dict[str, Any] = {
    "compat": "debezium",
    "translator": "",
    "raw_partitions": 1,
}
"""The settings under which the oracle's files were made, in our words."""
END = "conformance_end"
SIBLINGS = frozenset({schema_changes("").rpartition(".")[2]})
"""Topics that only our own form has."""
_CLOCKS = """
select n.nspname || '.' || c.relname, a.attname
from pg_attrdef d
join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
join pg_class c on c.oid = d.adrelid
join pg_namespace n on n.oid = c.relnamespace
where pg_get_expr(d.adbin, d.adrelid) ~* 'now\\(|current_|_timestamp|localtime'
"""
_TABLES = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
"""


@dataclass
class Play:
    """The records that a directory's changes led to.

    Attributes:
        events: By form and case, each topic's in order.
        log: The same by form alone.
        servers: By form the prefix of its topics.
        clocks: Topic and column of values that a clock gives.
        marks: By transaction number the case; and where each case's log ended.
        alone: Records that belong to no case.
        rows: How many rows of theirs were looked at.
        refused: By case what the server said to its statements.
        selected: Where the records of the default form do not add up to the server's tables.
    """

    events: dict[str, dict[str, list[Event]]] = field(default_factory=dict)
    log: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    servers: dict[str, str] = field(default_factory=dict)
    clocks: set[tuple[str, str]] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)
    ends: list[tuple[int, str]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    selected: list[str] = field(default_factory=list)
    rows: int = 0
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class Parts:
    """Where the real parts are."""

    admin_dsn: str
    bootstrap: str
    registry: str


@contextmanager
def stage(parts: Parts, oracle: Oracle) -> Iterator[Rig]:
    """A database with the directory's tables, and nothing that reads it."""
    rig = make_rig(
        parts.admin_dsn,
        parts.bootstrap,
        parts.registry,
        oracle.schema,
        f"create table {END} (id int primary key)",
        f"create publication {PUBLICATION} for all tables",
    )
    try:
        yield rig
    finally:
        drop_rig(rig, parts.admin_dsn)


def play(parts: Parts, oracle: Oracle, forms: tuple[Form, ...], **settings: Any) -> Play:
    """Run all changes, each one transaction, and read what the sources wrote."""
    found = Play()
    with stage(parts, oracle) as rig, ExitStack() as kept, ExitStack() as open_:
        rigs = {form.name: _rig_of(rig, form, parts) for form in forms}
        for each in rigs.values():
            kept.callback(drop_slot, each)
        sources = {
            form.name: open_.enter_context(
                rigs[form.name].running(**{**_settings(form), **settings})
            )
            for form in forms
        }
        for name, source in sources.items():
            until(partial(_begun, source), f"snapshot, {name}", 60)
            assert source.failure is None, source.failure
        before = tables(rig.dsn)
        found.clocks = {(_topic(table), column) for table, column in rig.rows(_CLOCKS)}
        _run(oracle.cases, rig, rigs, found)
        end = _end(rig)
        for name, source in sources.items():
            until(partial(_ended, rigs[name], source, end), f"end, {name}", 60)
            assert source.failure is None, source.failure
        for form in forms:
            _await_heartbeat(rigs[form.name])
        found.clocks |= {(_topic(table), column) for table, column in rig.rows(_CLOCKS)}
        open_.close()
        for form in forms:
            _collect(rigs[form.name], form, found)
        if DEFAULT in forms:
            log = found.log[DEFAULT.name]
            found.selected, found.rows = problems(rig.dsn, before, log)
    return found


def _settings(form: Form) -> dict[str, Any]:
    settings = {**DEBEZIUM_LIKE, "form": form.source()}
    return {**settings, "compat": ""} if form is DEFAULT else settings


def _rig_of(rig: Rig, form: Form, parts: Parts) -> Rig:
    return Rig(rig.dsn, parts.bootstrap, parts.registry, f"{rig.name}_{form.name}"[:60])


def drop_slot(rig: Rig) -> None:
    """Drop the slot of a source that was stopped."""
    active = f"select active_pid from pg_replication_slots where slot_name = '{rig.name}'"
    until(lambda: rig.rows(active) in ([], [(None,)]), "slot free")
    rig.sql(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
        f"where slot_name = '{rig.name}'"
    )
    rig.end()


def _run(cases: tuple[Case, ...], rig: Rig, rigs: dict[str, Rig], found: Play) -> None:
    """Run the cases; remember each one's transaction number and where its log ended."""
    open_subjects: set[str] = set()
    with psycopg.connect(rig.dsn) as connection:
        found.ends.append((_position(connection), SNAPSHOT))
        for case in cases:
            if not case.sql:
                continue
            for table in (row[0] for row in rig.rows(_TABLES)):
                if table not in open_subjects:
                    open_subjects.add(table)
                    _let_change(rigs, table)
            try:
                _change(connection, case.sql)
            except psycopg.Error as error:
                connection.rollback()
                found.refused[case.name] = f"the server refuses it: {error}"
                continue
            row = connection.execute("select pg_current_xact_id_if_assigned()::text").fetchone()
            connection.commit()
            if row is not None and row[0] is not None:
                found.marks[int(row[0]) & 0xFFFFFFFF] = case.name
            found.ends.append((_position(connection), case.name))


def _change(connection: psycopg.Connection[Any], sql: str) -> None:
    """Run statements, or `COPY:table:rows`."""
    if not sql.startswith("COPY:"):
        connection.execute(sql.encode())
        return
    _, table, rows = sql.split(":", 2)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        copy.write(rows)


def _position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def _let_change(rigs: dict[str, Rig], table: str) -> None:
    """Some cases change a column's type, which no level of the registry but NONE lets pass."""
    for rig in rigs.values():
        subject = f"{rig.name}.cdc.erp.{_topic(table)}-value"
        answer = httpx.put(f"{rig.registry_url}/config/{subject}", json={"compatibility": "NONE"})
        assert answer.status_code == 200, answer.text


def _end(rig: Rig) -> int:
    rig.sql(f"insert into {END} values (1)")
    return int(rig.rows("select pg_current_wal_flush_lsn() - '0/0'::pg_lsn")[0][0])


def _begun(source: Running) -> bool:
    return source.failure is not None or source.health.state == "reading"


def _ended(rig: Rig, source: Running, end: int) -> bool:
    if source.failure is not None:
        return True
    return bool(rig.records(f"cdc.erp.public.{END}")) or int(rig.position().get("lsn", 0)) >= end


def _await_heartbeat(rig: Rig) -> None:
    topic = f"__debezium-heartbeat.{rig.name}.cdc.erp"
    until(lambda: topic in topics_of(rig, topic), "a heartbeat")
    until(lambda: bool(_read(rig, topic)), "a heartbeat")


def topics_of(rig: Rig, start: str) -> list[str]:
    """Topics of the broker that begin so."""
    admin = AdminClient({"bootstrap.servers": rig.bootstrap})
    return sorted(name for name in admin.list_topics(timeout=10).topics if name.startswith(start))


def _read(rig: Rig, topic: str) -> list[Any]:
    facts = describe(rig.connection, [topic])
    return [
        record
        for partition in range(facts[topic].partitions)
        for record in read_partition(rig.connection, topic, partition)
        if record is not None
    ]


def _collect(rig: Rig, form: Form, found: Play) -> None:
    server = f"{rig.name}.cdc.erp"
    found.servers[form.name] = server
    reader = Reader(rig.registry.schema_of, json_form=form.json)
    by_case: dict[str, list[Event]] = defaultdict(list)
    names = [*topics_of(rig, f"{server}."), *topics_of(rig, f"__debezium-heartbeat.{server}")]
    for name in names:
        topic = name.removeprefix(f"{server}.")
        if topic.endswith(END) or (form is DEFAULT and topic in SIBLINGS):
            continue
        case = ""
        for record in _read(rig, name):
            event = reader.event(topic, record)
            case = _case_of(event, found, case)
            event.case = case
            if topic.startswith("__debezium-heartbeat"):
                event.topic = "heartbeat"
            by_case[case].append(event)
            found.log[form.name].append(event)
    for event in by_case.pop("", []):
        if event.topic != "transaction":
            found.alone.append(f"{form.name}: {event.topic} {event.key}")
    found.events[form.name] = dict(by_case)


def _case_of(event: Event, found: Play, previous: str) -> str:
    value = event.value
    if event.topic.startswith("__debezium-heartbeat"):
        return HEARTBEAT
    if value is None:
        return previous  # a tombstone is of the delete in front of it
    if event.topic == "transaction":
        return found.marks.get(int(event.key["id"].split(":")[0]), "")
    source = value.get("source") or {"txId": None, "lsn": 1 << 64}
    if value.get("op") == "r":
        return SNAPSHOT
    if source["txId"] in found.marks:
        return found.marks[source["txId"]]
    # A message outside a transaction stands at its own end.
    return next((case for end, case in found.ends if source["lsn"] <= end), "")


def _topic(table: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", table)
