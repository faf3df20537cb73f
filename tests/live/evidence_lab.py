"""An evidence store of a test's own: a database, a group, topics, and a writer as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.headers import headers_of
from streams.contracts.provisioning import control_spec, dead_letter_spec, topic_spec
from streams.contracts.registry import ConfluentRegistry
from streams.engine import Transaction, provision
from streams.evidence.records import STORED
from streams.runtime.connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from localstack import Addresses

    from streams.contracts.topics import Topic

ROOT = Path(__file__).parents[2]
PATIENCE_S = 25.0
WRITER = """
import asyncio, sys
from connectors.runner.database import EvidenceConfig, run_evidence
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.registry import ConfluentRegistry
from streams.engine import arm
from streams.runtime.connection import KafkaConnection
from streams.runtime.logging import configure_logging

bootstrap, prefix, registry, dsn, fault, batch = sys.argv[1:]
arm(fault)
configure_logging("connect evidence", form="text", stream=sys.stderr)
connection = KafkaConnection(bootstrap, prefix=prefix)
codec = Codec(Catalog.load(), ConfluentRegistry(registry), prefix)
config = EvidenceConfig(dsn, batch_records=int(batch))
asyncio.run(run_evidence(config, connection, codec))
"""

TABLES = ("events", "duplicates", "lots", "dead_letters", "offsets")


@dataclass(frozen=True)
class Lab:
    """One test's surroundings."""

    connection: KafkaConnection
    codec: Codec
    registry: str
    dsn: str
    folder: Path

    def produce(self, events: Sequence[tuple[Topic[Any], Any]]) -> None:
        """Put events on their topics, one transaction for all."""
        with Transaction(self.connection, "test-facts") as transaction:
            transaction.begin()
            for topic, event in events:
                transaction.produce(
                    self.name(topic),
                    topic.key(event).encode(),
                    self.codec.encode(topic, event),
                    headers_of(event, topic),
                )
            transaction.commit()

    def produce_raw(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes = b"key",
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Put bytes on partition 0 of a topic."""
        with Transaction(self.connection, "test-raw") as transaction:
            transaction.begin()
            transaction.produce(topic, key, value, headers, partition=0)
            transaction.commit()

    def name(self, topic: Topic[Any]) -> str:
        """A topic's full name."""
        return topic.full_name(self.connection.prefix, self.connection.group)

    @contextmanager
    def writer(self, fault: str = "", batch: int = 500) -> Iterator[subprocess.Popen[bytes]]:
        """Run the evidence writer as a process; it is killed at the end."""
        log = (self.folder / "writer.log").open("ab")
        where = [self.connection.bootstrap, self.connection.prefix, self.registry, self.dsn]
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), *where, fault, str(batch)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            log.close()

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the evidence database; no rows while it has no tables."""
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            try:
                return connection.execute(statement, values).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def count(self, table: str) -> int:
        """Rows of a table."""
        found = self.rows(f"select count(*) as n from evidence.{table}")
        return int(found[0]["n"]) if found else 0

    def wait_for(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: It did not come; with the end of the writer's log.
        """
        end = time.monotonic() + PATIENCE_S
        while not reached():
            log = (self.folder / "writer.log").read_text(errors="replace")[-3000:]
            assert time.monotonic() < end, f"{what} did not come; the writer says:\n{log}"
            time.sleep(0.1)

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables without the times of storing, in one order."""
        found = {}
        for table in TABLES:
            rows = self.rows(
                f"select to_jsonb(t) - 'stored_at' - 'updated_at' as row"
                f" from evidence.{table} t order by 1"
            )
            found[table] = [row["row"] for row in rows]
        return found


@contextmanager
def lab_of(
    bootstrap: str, registry: str, database: Addresses, test: str, folder: Path
) -> Iterator[Lab]:
    """Lend a database, topics and schemas under a name of their own, derived from the test's."""
    name = f"evidence-{sha256(test.encode()).hexdigest()[:10]}"
    connection = KafkaConnection(bootstrap, prefix=name)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(f'drop database if exists "{name}" with (force)')
        admin.execute(f'create database "{name}" owner lotgate_evidence')
    dsn = database.evidence_dsn.replace("/evidence?", f"/{name}?")
    client = ConfluentRegistry(registry)
    codec = Codec(Catalog.load(), client, name)
    codec.prepare(STORED, register=True)
    specs = [topic_spec(topic, connection) for topic in STORED]
    specs += [dead_letter_spec("lotgate", connection), control_spec(connection)]
    provision(connection, specs)
    yield Lab(connection, codec, registry, dsn, folder)
    client.close()
