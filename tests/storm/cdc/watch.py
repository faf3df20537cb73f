"""Looks all the time whether confirmed ≤ stored ≤ the server's end."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

PAUSE_S = 0.05
PATIENCE_S = 15.0
"""A commit that the source has heard of is visible to others a little later."""

_CONFIRMED = (
    "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots where slot_name = %s"
)
_END = "select pg_current_wal_flush_lsn() - '0/0'::pg_lsn"


@dataclass
class Seen:
    """What the watcher saw."""

    looks: int = 0
    violations: list[str] = field(default_factory=list)
    confirmed: set[int] = field(default_factory=set)


class Watcher(threading.Thread):
    """Compares the slot, the stored position and the server's end, through every restart."""

    def __init__(self, dsn: str, slot: str, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True, name="watcher")
        self._dsn = dsn
        self._slot = slot
        self._end = threading.Event()
        self._topic = topic
        self._reader = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{slot}-watcher",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.max.ms": 500,
                "allow.auto.create.topics": False,
                "log_level": 0,
                "error_cb": lambda _error: None,
            }
        )
        self._reader.assign([TopicPartition(topic, 0, 0)])
        self.position: dict[str, Any] = {}
        self.seen = Seen()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._end.is_set():
                with (
                    suppress(psycopg.OperationalError),
                    psycopg.connect(self._dsn, autocommit=True, connect_timeout=3) as server,
                ):
                    while not self._end.wait(PAUSE_S):
                        self._look(server)
                self._end.wait(0.2)
        except BaseException as failure:
            self.failure = failure
            raise

    def streams(self) -> bool:
        """A position in the log is stored."""
        return self.position.get("phase") == "stream"

    def has_read_all(self) -> bool:
        """The log is read, and so is the snapshot."""
        return self.streams() and not (self.position.get("snapshot") or {}).get("runs")

    def end(self) -> Seen:
        self._end.set()
        self.join()
        self._reader.close()
        return self.seen

    def _look(self, server: psycopg.Connection[Any]) -> None:
        found = server.execute(_CONFIRMED, (self._slot,)).fetchone()
        self._read()
        if found is None or found[0] is None or not self.streams():
            return
        confirmed = int(found[0])
        self.seen.confirmed.add(confirmed)
        deadline = time.monotonic() + PATIENCE_S
        while confirmed > self.stored and time.monotonic() < deadline:
            self._read()
        if confirmed > self.stored:
            self.seen.violations.append(f"confirmed {confirmed:X} > stored {self.stored:X}")
        stored = self.stored
        row = server.execute(_END.encode()).fetchone()
        if row is not None and stored > int(row[0]):
            self.seen.violations.append(f"stored {stored:X} > the server's end {int(row[0]):X}")
        self.seen.looks += 1

    @property
    def stored(self) -> int:
        """The position that was stored last."""
        return int(self.position.get("lsn", 0))

    def _read(self) -> None:
        with suppress(KafkaException):
            for message in self._reader.consume(1_000, 0.02):
                value = message.value()
                if message.error() is None and value is not None:
                    self._stored_is(json.loads(value))

    def _stored_is(self, position: dict[str, Any]) -> None:
        before = self.stored
        self.position = position
        if self.stored < before:
            self.seen.violations.append(f"stored went back from {before:X} to {self.stored:X}")
