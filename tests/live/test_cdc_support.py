"""What the live tests of the PostgreSQL source share; as a program: one source process.

The program takes a JSON object on its command line and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from connectors.runner.health.source import SourceHealth
from connectors.runner.source import run_source
from connectors.runner.source_config import BatchLimits, SourceConfig
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topics import TRANSLATE_INPUT
from streams.engine import arm, describe, read_partition
from streams.engine.faults import DEATH
from streams.errors import LotgateError
from streams.runtime.connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.engine import Record
    from streams.model.rows import SourceTransaction

PUBLICATION = "lotgate"


@dataclass
class Rig:
    """One database of its own, and topics of its own by an installation prefix.

    Attributes:
        dsn: Connection string of the database, as administrator.
        bootstrap: The broker.
        registry_url: The registry.
        name: Unique name: the database's, the slot's and the topics' prefix.
    """

    dsn: str
    bootstrap: str
    registry_url: str
    name: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def connection(self) -> KafkaConnection:
        return KafkaConnection(self.bootstrap, prefix=self.name)

    @cached_property
    def registry(self) -> ConfluentRegistry:
        return ConfluentRegistry(self.registry_url)

    @cached_property
    def codec(self) -> Codec:
        return Codec(Catalog.load(), self.registry, prefix=self.name)

    def decoded(self, payload: bytes | None) -> Any:
        """A raw record's key or value, by its writer's schema; None stays None."""
        return None if payload is None else self.codec.decode_any(payload)[1]

    def config(self, **more: Any) -> SourceConfig:
        base = SourceConfig(
            source="erp",
            translator="tryton",
            site="P1",
            dsn=self.dsn,
            slot=self.name,
            publication=PUBLICATION,
            partition=0,
            version="0.1.0",
            raw_partitions=2,
        )
        return replace(base, **more)

    def sql(self, *statements: str) -> None:
        """Run statements, each in its own transaction."""
        with psycopg.connect(self.dsn, autocommit=True) as database:
            for statement in statements:
                database.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as database:
            return database.execute(query.encode()).fetchall()

    def die(self, faults: list[str], **more: Any) -> subprocess.Popen[bytes]:
        """Let one source process after the other start and die.

        Args:
            faults: For each process a fault point, or `kill <seconds>` for kill -9 that long
                after its start.
            more: Settings of the sources; `limits` as a mapping.
        """
        order = {
            "dsn": self.dsn,
            "bootstrap": self.bootstrap,
            "registry": self.registry_url,
            "name": self.name,
            "faults": faults,
            "more": more,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.test_cdc_support", json.dumps(order)],
            stderr=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    @contextmanager
    def running(self, **more: Any) -> Iterator[Running]:
        """Run a source in this process, and end it with the block."""
        running = Running(self, self.config(**more))
        try:
            yield running
        finally:
            running.stop()

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.registry.close()

    def records(self, topic: str) -> list[Record]:
        """All committed records of a topic, partition by partition."""
        full = f"{self.name}.{topic}"
        facts = describe(self.connection, [full])
        if full not in facts:
            return []
        return [
            record
            for partition in range(facts[full].partitions)
            for record in read_partition(self.connection, full, partition)
            if record is not None
        ]

    def table(self, table: str) -> list[Record]:
        return self.records(f"cdc.erp.public.{table}")

    def transactions(self) -> list[SourceTransaction]:
        return [
            self.codec.decode(TRANSLATE_INPUT, record.value or b"")
            for record in self.records("lotgate-translate-input")
        ]

    def position(self) -> dict[str, Any]:
        found = self.records("lotgate-cdc-offsets")
        value: dict[str, Any] = json.loads(found[-1].value or b"{}")
        return value


class Running:
    """A source in a thread of its own event loop."""

    def __init__(self, rig: Rig, config: SourceConfig) -> None:
        import threading

        self.health = SourceHealth()
        self.failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._rig = rig
        self._config = config
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        async def main() -> None:
            self._task = asyncio.current_task()
            registry = ConfluentRegistry(self._rig.registry_url)
            codec = Codec(Catalog.load(), registry, prefix=self._rig.name)
            try:
                await run_source(self._config, self._rig.connection, codec, health=self.health)
            except asyncio.CancelledError:
                pass
            except LotgateError as error:
                self.failure = error
            finally:
                registry.close()

        try:
            self._loop.run_until_complete(main())
        finally:
            self._loop.close()

    def stop(self) -> None:
        while self._thread.is_alive() and self._task is None:
            time.sleep(0.01)
        if self._thread.is_alive() and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def ended(self, timeout_s: float = 30) -> BaseException | None:
        """Wait for the source to end by itself."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the source did not stop"
        return self.failure


def make_rig(admin_dsn: str, bootstrap: str, registry_url: str, *statements: str) -> Rig:
    """A new database with a publication of all that the statements make."""
    name = f"cdc{secrets.token_hex(4)}"
    with psycopg.connect(admin_dsn, autocommit=True) as server:
        server.execute(f"create database {name}".encode())
    rig = Rig(make_conninfo(admin_dsn, dbname=name), bootstrap, registry_url, name)
    rig.sql(*statements)
    return rig


def drop_rig(rig: Rig, admin_dsn: str) -> None:
    """End what the rig started and drop slot and database."""
    rig.end()
    with psycopg.connect(admin_dsn, autocommit=True) as server:
        slots = "select active_pid from pg_replication_slots where slot_name = %s"
        until(lambda: server.execute(slots, (rig.name,)).fetchone() in (None, (None,)), "slot free")
        server.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            "where slot_name = %s",
            (rig.name,),
        )
        server.execute(f"drop database {rig.name} with (force)".encode())


def until(condition: Callable[[], Any], what: str, timeout_s: float = 30) -> Any:
    """Poll until something holds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s: {what}")


def _program(order: dict[str, Any]) -> None:
    """Fork a source for each death, so that modules are loaded once."""
    rig = Rig(order["dsn"], order["bootstrap"], order["registry"], order["name"])
    more = order["more"]
    if "limits" in more:
        more["limits"] = BatchLimits(**more["limits"])
    for fault in order["faults"]:
        child = os.fork()
        if child == 0:
            arm("" if fault.startswith("kill") else fault)
            asyncio.run(run_source(rig.config(**more), rig.connection, rig.codec))
            os._exit(0)
        if fault.startswith("kill"):
            time.sleep(float(fault.split()[1]))
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        wanted = -signal.SIGKILL if fault.startswith("kill") else DEATH
        if code != wanted:
            sys.exit(f"{fault}: the source ended with {code}")


if __name__ == "__main__":
    _program(json.loads(sys.argv[1]))
