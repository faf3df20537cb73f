"""The raw records against Debezium's own, on a real server, case by case."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import psycopg
import pytest

from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

    from streams.engine import Record

pytestmark = pytest.mark.urs("M3.1", "M5.6")

GOLDEN = Path(__file__).parent.parent / "golden" / "debezium"
CASES: list[dict[str, Any]] = json.loads((GOLDEN / "cases.json").read_text())
SCHEMAS: dict[str, Any] = json.loads((GOLDEN / "schemas.json").read_text())
EXPECTED = {case["case"]: case["expected"] for case in CASES if case["expected"] is not None}

DIFFERENT = {
    "insert_numeric_negative_scale": "its decimal has a scale that Avro does not allow",
    "insert_time_infinity": "infinite values are never magic numbers",
    "insert_default_values": "the row holds the time of the run",
    "logical_message_tx": "the oracle counts the message as an event; we do not ask for messages",
}
"""Cases in which we knowingly do otherwise, and why."""
OURS_ALONE = {"comp"}
"""Columns that the oracle leaves out and we send as text."""
DEFAULTS = {"public.t_def"}
"""The oracle writes a column's default into the schema, in front of null; ours has none."""
PARENTS = {"public.t_part", "public.t_part:key"}
"""The oracle's snapshot reads a partitioned table twice, as parent and as leaves; ours once."""
VOLATILE = ("ts_ms", "ts_us", "ts_ns", "version", "name", "db", "lsn", "txId", "sequence")


Events = dict[str, list[dict[str, Any]]]
Tables = dict[str, "list[Record]"]


class Found(NamedTuple):
    """What the cases led to: raw records by case, the first schema by topic."""

    records: Events
    schemas: dict[str, Any]


@pytest.fixture
def records(found: Found) -> Events:
    return found.records


@pytest.fixture
def schemas(found: Found) -> dict[str, Any]:
    return found.schemas


@pytest.fixture(scope="module")
def found(database: Addresses, broker: str, registry: str) -> Iterator[Found]:
    """Run all cases through a source on a real server."""
    schema = [line for line in (GOLDEN / "schema.sql").read_text().splitlines() if line]
    rig = make_rig(
        database.admin_dsn, broker, registry, *schema, "create publication lotgate for all tables"
    )
    try:
        with rig.running(compat="debezium", raw_partitions=1) as running:
            until(lambda: running.failure or running.health.commits > 1, "the snapshot")
            assert running.failure is None
            # Some cases change a column's type, which no level but NONE lets pass.
            subject = f"{rig.name}.cdc.erp.public.t_ddl-value"
            answer = httpx.put(f"{registry}/config/{subject}", json={"compatibility": "NONE"})
            assert answer.status_code == 200, answer.text
            numbers = _run_cases(rig)
            end = rig.rows("select pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]
            until(
                lambda: (
                    running.failure
                    or (running.health.rows and rig.position().get("lsn", 0) >= end - 4096)
                ),
                "all cases read",
            )
            assert running.failure is None
        names = rig.rows(
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind = 'r'"
        )
        topics = [name.replace(" ", "_") for (name,) in names]
        tables = {f"public.{topic}": rig.table(topic) for topic in topics}
        tables = {topic: records for topic, records in tables.items() if records}
        yield Found(_by_case(tables, rig, numbers), _schemas(tables, rig))
    finally:
        drop_rig(rig, database.admin_dsn)


def _run_cases(rig: Rig) -> dict[int, str]:
    """Run the cases and return the transaction number of each."""
    numbers: dict[int, str] = {}
    with psycopg.connect(rig.dsn) as connection:
        for case in CASES:
            statement = case["sql"]
            if not statement:
                continue
            if statement.startswith("COPY:"):
                _, table, rows = statement.split(":", 2)
                with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write(rows)
            else:
                connection.execute(statement.encode())
            (number,) = connection.execute("select pg_current_xact_id()::text::bigint").fetchone()  # type: ignore[misc]
            connection.commit()
            numbers[number] = case["case"]
        connection.execute("insert into t_key1 values (1000, 'end')")
        connection.commit()
    return numbers


def _by_case(tables: Tables, rig: Rig, numbers: dict[int, str]) -> Events:
    found: Events = {"snapshot": []}
    for topic, records in tables.items():
        case = ""
        for record in records:
            value = rig.decoded(record.value)
            if value is not None:
                number = value["source"]["txId"]
                case = "snapshot" if value["op"] == "r" else numbers.get(number, "")
            event = {"topic": topic, "key": rig.decoded(record.key), "value": value}
            found.setdefault(case, []).append(event)
    return found


def _schemas(tables: Tables, rig: Rig) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for topic, records in tables.items():
        for name, payload in [(topic, records[0].value), (f"{topic}:key", records[0].key)]:
            if payload is not None:
                schemas[name] = rig.registry.schema_of(int.from_bytes(payload[1:5], "big"))
    return schemas


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return str(value) if "E" not in str(value) else format(value, "f")
        case float():
            return repr(value)
        case bytes():
            return {"__bytes_b64": base64.b64encode(value).decode()}
        case dict():
            return {key: _plain(each) for key, each in value.items() if key not in OURS_ALONE}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


def _normal(event: dict[str, Any]) -> dict[str, Any]:
    value = event["value"]
    if value is not None:
        value = _plain(value)
        for name in ("ts_ms", "ts_us", "ts_ns"):
            value.pop(name)
        for name in VOLATILE:
            value["source"].pop(name, None)
        if value["transaction"] is not None:
            value["transaction"].pop("id")
    return {"topic": event["topic"], "key": _plain(event["key"]), "value": value}


@pytest.mark.parametrize("case", sorted(set(EXPECTED) - set(DIFFERENT) - {"snapshot"}))
def test_records_of_a_case_equal_the_oracles(case: str, records: Events) -> None:
    expected = _plain(EXPECTED[case])
    found = [_normal(each) for each in records.get(case, [])]
    by_topic = sorted({each["topic"] for each in (*expected, *found)})
    for topic in by_topic:
        assert [e for e in found if e["topic"] == topic] == [
            e for e in expected if e["topic"] == topic
        ]


def test_snapshot_rows_equal_the_oracles(records: Events) -> None:
    def rows(events: list[dict[str, Any]]) -> list[Any]:
        return sorted(
            (each["topic"], json.dumps(each["key"]), json.dumps(each["value"]["after"]))
            for each in events
            if each["topic"] not in PARENTS
        )

    found = [_normal(each) for each in records["snapshot"]]
    assert rows(found) == rows(_plain(EXPECTED["snapshot"]))
    marks = [each["value"]["source"]["snapshot"] for each in found]
    assert marks.count("first") == 1
    assert marks.count("last") == 1


def test_a_transactions_records_agree_with_each_other(
    records: Events,
) -> None:
    values = [e["value"] for e in records["multi_table_tx"] if e["value"] is not None]
    assert len({value["source"]["txId"] for value in values}) == 1
    assert len({value["transaction"]["id"] for value in values}) == 1
    ordered = sorted(values, key=lambda value: value["transaction"]["total_order"])
    assert [v["transaction"]["total_order"] for v in ordered] == list(range(1, len(values) + 1))
    places = [value["source"]["lsn"] for value in ordered]
    assert places == sorted(places)


@pytest.mark.parametrize("topic", sorted(set(SCHEMAS) - PARENTS - DEFAULTS))
def test_schemas_equal_the_oracles(topic: str, schemas: dict[str, Any]) -> None:
    assert _shape(schemas[topic]) == _shape(SCHEMAS[topic])


def _shape(schema: Any) -> Any:
    """A schema without defaults of columns and without the server's own prefix in names."""
    match schema:
        case dict():
            kept = {
                name: _shape(each)
                for name, each in schema.items()
                if name not in {"default", "connect.default"}
            }
            return kept["type"] if set(kept) == {"type"} else kept
        case list():
            fields = [each for each in schema if _name(each) not in OURS_ALONE]
            return [_shape(each) for each in fields]
        case str():
            return schema.partition("public.")[2] or schema
        case _:
            return schema


def _name(member: Any) -> str:
    return str(member.get("name", "")) if isinstance(member, dict) else ""
