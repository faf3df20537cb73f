"""One Kafka transaction of a source: raw records, transaction records, dead letters, position."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from connectors.sources.encoding.transactions import TransactionHead, chunk_body
from streams.contracts.provenance import HEADER, begun
from streams.contracts.topics import DEAD_LETTER_LIMIT_BYTES, RECORD_LIMIT_BYTES, TRANSLATE_INPUT
from streams.engine import reach
from streams.errors import Misconfigured
from streams.model.rows import SourceTransaction
from streams.runtime import clock

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.base import Change, DeadRow, Position, RawRecord
    from connectors.runner.source_config import SourceConfig
    from connectors.runner.source_topics import SourceTopics
    from streams.contracts.codec import Codec
    from streams.engine import Transaction

FRAME_BYTES = 5
FRAMING_BYTES = 2_048
"""What a dead letter's key, names of headers and framing take at most."""
PREFIX = "lotgate-dlq-"


def transaction_frame(codec: Codec, now: datetime) -> bytes:
    """The frame of transaction records, proved on a probe: codec and direct writer agree.

    Raises:
        Misconfigured: The schema of this build is another than the direct writer's.
    """
    stamp = now.replace(microsecond=0)
    micros = int(stamp.timestamp()) * 1_000_000
    head = TransactionHead(
        "s", "t", "p", "d", "1", 1, 2, micros, micros, snapshot=True, connector_version="v"
    )
    probe = SourceTransaction(
        source="s",
        translator="t",
        site="p",
        database="d",
        system_id="1",
        tx_id=1,
        commit_lsn=2,
        committed_at=stamp,
        ingested_at=stamp,
        snapshot=True,
        chunk=0,
        last=True,
        changes=(),
        connector_version="v",
    )
    framed = codec.encode(TRANSLATE_INPUT, probe)
    if framed[FRAME_BYTES:] != chunk_body(head, 0, [], last=True):
        raise Misconfigured(
            "The schema of transaction records differs from what this build writes",
            code="schema_drift",
            kept="nothing was read",
            advice="install connectors and schemas of one release",
        )
    return framed[:FRAME_BYTES]


class Batch:
    """What is put into one Kafka transaction.

    Args:
        config: The source.
        topics: Its topics.
        transaction: The transactional producer.
        frame: Frame of transaction records.
    """

    def __init__(
        self, config: SourceConfig, topics: SourceTopics, transaction: Transaction, frame: bytes
    ) -> None:
        self._config = config
        self._topics = topics
        self._transaction = transaction
        self._frame = frame
        self._key = config.source.encode()
        self._name = f"source/{config.source}"
        self._began = 0.0
        self.snapshot = False
        self.position: Position | None = None
        self.rows = 0
        self.dead = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """It should be committed although more is at hand."""
        limits, age = self._config.limits, time.monotonic() - self._began
        if self.snapshot:
            most = (limits.snapshot_rows, limits.snapshot_bytes, limits.snapshot_seconds)
        else:
            most = (limits.rows, limits.bytes, limits.seconds)
        return self.rows >= most[0] or self.bytes >= most[1] or age >= most[2]

    def add(self, change: Change) -> None:
        """Produce a change.

        Raises:
            Transient: The transaction is lost; go back to the stored position.
        """
        if self.position is None:
            self._transaction.begin()
            self._began = time.monotonic()
        self.position = change.position
        self.snapshot = change.snapshot
        reach("before_produce")
        if change.records:
            self._raw(self._topics.contract.carried(change.records))
        for row in change.dead:
            self._dead(row)
        if change.transaction is not None:
            value = self._frame + change.transaction
            chain = begun(self._name, self._config.version, change.transaction_id)
            headers = [(HEADER, chain)]
            self._transaction.produce(self._topics.transactions, self._key, value, headers)
        self.rows += change.rows
        self.dead += len(change.dead)
        self.bytes += change.size
        reach("after_produce")
        if change.snapshot:
            reach("in_snapshot")

    def commit(self) -> Position:
        """Add the position and commit.

        Returns:
            The position that is now stored.

        Raises:
            Transient: Aborted, or the outcome is unknown; go back to the stored position.
        """
        position = self.position
        if position is None:
            raise RuntimeError("nothing to commit")
        reach("before_offset")
        self._transaction.produce(
            self._topics.offsets,
            self._key,
            json.dumps(dict(position.fields), separators=(",", ":"), sort_keys=True).encode(),
            partition=self._config.partition,
        )
        self.produce(self._topics.contract.states())
        reach("before_commit")
        self._transaction.commit()
        self.position, self.rows, self.bytes, self.snapshot = None, 0, 0, False
        self.dead = 0
        reach("after_commit")
        return position

    def produce(self, records: list[RawRecord]) -> None:
        """Add records to the open transaction that belong to no change."""
        self._transaction.produce_rows(records, self._topics.partitions)

    def _raw(self, records: list[RawRecord]) -> None:
        """Produce records; a fault point stands between two of them."""
        if self._topics.json is not None:
            records = self._topics.json.records(records)
        half = len(records) // 2
        produce, partitions = self._transaction.produce_rows, self._topics.partitions
        if half:
            produce(records[:half], partitions)
            reach("mid_transaction")
        produce(records[half:], partitions)

    def _dead(self, row: DeadRow) -> None:
        story = {
            "topic": f"{self._config.source}:{row.table}",
            "partition": "0",
            "offset": row.position,
            "timestamp": str(clock.now_ms()),
            "group": self._topics.component,
            "stage": "source",
            "error": "Poison",
            "code": row.code,
            "message": row.cause,
            "stack": "",
            "build": self._config.version,
            "attempts": "1",
            "cause": row.key,
            "bytes": str(len(row.raw)),
            "row": row.row,
            "shape": row.shape,
        }
        headers = [(PREFIX + name, text.encode()) for name, text in story.items()]
        headers.append(("event_id", row.key.encode()))
        room = DEAD_LETTER_LIMIT_BYTES - FRAMING_BYTES - sum(len(text) for _, text in headers)
        raw = row.raw[: min(RECORD_LIMIT_BYTES, room)]
        self._transaction.produce(self._topics.dead_letters, row.key.encode(), raw, headers=headers)
