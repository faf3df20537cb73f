"""The reference job in small, and the process that tests run it in."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import RECORD_LIMIT_BYTES, Topic
from streams.engine import EngineSettings, FuseLimits, Lotgate, Store, Verdict, run_worker
from streams.runtime.connection import KafkaConnection


@dataclass(frozen=True, slots=True)
class Inspection:
    lot: str
    source_seq: int
    value: int
    limit: int
    note: str


@dataclass(frozen=True, slots=True)
class LotCount:
    seq: int
    n: int
    fails: int
    held: bool


@dataclass(frozen=True, slots=True)
class HoldRequested:
    lot: str
    fails: int
    source_seq: int
    note: str


def record(name: str, **fields: str) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": "test.engine",
        "fields": [{"name": key, "type": kind} for key, kind in fields.items()],
    }


INSPECTIONS = Topic(
    "{group}-inspections",
    Inspection,
    record(
        "Inspection", lot="string", source_seq="long", value="long", limit="long", note="string"
    ),
    lambda event: event.lot,
)
HOLDS = Topic(
    "{group}-holds",
    HoldRequested,
    record("HoldRequested", lot="string", fails="long", source_seq="long", note="string"),
    lambda event: event.lot,
)
LOTS = Store(
    "lots",
    LotCount,
    record("LotCount", seq="long", n="long", fails="long", held="boolean"),
)
NEW = LotCount(0, 0, 0, False)


def decide(state: LotCount | None, event: Inspection) -> Verdict[LotCount]:
    """Two failures hold a lot, once; what is not newer than the state was seen before."""
    state = state or NEW
    if event.source_seq <= state.seq:
        return Verdict(state)
    if event.note == "boom":
        raise ZeroDivisionError("the rule cannot take this")
    failed = event.value > event.limit
    counted = replace(state, seq=event.source_seq, n=state.n + 1, fails=state.fails + int(failed))
    if event.note == "huge":
        return Verdict(counted, (HoldRequested(event.lot, 0, event.source_seq, "x" * 3_000_000),))
    if counted.fails >= 2 and not counted.held:
        held = replace(counted, held=True)
        return Verdict(held, (HoldRequested(event.lot, held.fails, event.source_seq, ""),))
    return Verdict(counted)


def unchanged(state: LotCount | None, event: HoldRequested) -> Verdict[LotCount]:
    """A second input of the same store, which is to be refused."""
    assert event.lot
    return Verdict(state)


def settings() -> EngineSettings:
    """Settings from the file that the test names."""
    given = orjson.loads(Path(os.environ["ENGINE_TEST_SETTINGS"]).read_bytes())
    connection = KafkaConnection(
        given["bootstrap"], group=given["group"], security=given.get("security", {})
    )
    return EngineSettings(
        connection=connection,
        codec=lambda: codec(connection, Path(given["registry"]), given.get("codec_limit")),
        data_dir=Path(given["data"]),
        instance_id=os.environ.get("ENGINE_TEST_INSTANCE", "a"),
        build=os.environ.get("ENGINE_TEST_BUILD", "1"),
        session_timeout_ms=given.get("session_timeout_ms", 6_000),
        transaction_timeout_ms=given.get("transaction_timeout_ms", 10_000),
        group_protocol=given.get("group_protocol", "classic"),
        standbys=given.get("standbys", 0),
        cycle_records=given.get("cycle_records", 500),
        fuse=FuseLimits(**given.get("fuse", {})),
        record_limit_bytes=given.get("record_limit_bytes", 2 * 1024 * 1024),
        client=given.get("client", {}),
        # Without a supervising process: a test's signals meet the worker itself.
        watchdog_s=given.get("watchdog_s", 0.0),
        fault=os.environ.get("LOTGATE_FAULT", ""),
    )


class Registering(Codec):
    """Registers what it meets: the registry is the test's own file."""

    def prepare(self, topics: Any, *, register: bool = True) -> None:
        super().prepare(topics, register=register)


def codec(connection: KafkaConnection, registry: Path, limit: int | None = None) -> Registering:
    return Registering(
        Catalog([]),
        FileRegistry(registry),
        connection.prefix,
        connection.group,
        limit=limit or RECORD_LIMIT_BYTES,
    )


app = Lotgate("engine-test")
app.configure_from(settings)
app.stage(
    INSPECTIONS,
    store=LOTS,
    emits=(HOLDS,),
    dedupes_by_position=os.environ.get("ENGINE_TEST_DEDUPE", "1") == "1",
    name="lot-hold",
)(decide)
if os.environ.get("ENGINE_TEST_SECOND_INPUT"):
    app.stage(HOLDS, store=LOTS, name="lot-other")(unchanged)

if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("ENGINE_TEST_LOG", "WARNING"))
    sys.exit(run_worker(app))
