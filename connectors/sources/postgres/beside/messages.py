"""What `pg_logical_emit_message` was given, on a topic of its own."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.base import RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.beside.schemas import MESSAGE_KEY, message_value
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts, some_long
from connectors.sources.postgres.shape.identity import event_headers

if TYPE_CHECKING:
    from connectors.base import TableTopics
    from connectors.sources.postgres.settings import PostgresSettings

OP_MESSAGE = avro.string("m")
COLLECTION: Final = "message"
"""Under this name messages are counted in a transaction."""
DEBEZIUM_COLLECTION: Final = (
    "io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId"
)
"""Debezium prints an object of its own here."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """A message and where it stands.

    Attributes:
        event_id: Its id.
        prefix: Its prefix.
        content: Its bytes.
        lsn: Where it stands in the log.
        xid: Its transaction's number; None outside one.
        instant_us: Commit time, or the time of reading outside a transaction, microseconds.
        sequence: Its order, as the text of a JSON array.
        block: The encoded `transaction` block, or null.
    """

    event_id: str
    prefix: str
    content: bytes
    lsn: int
    xid: int | None
    instant_us: int
    sequence: bytes
    block: bytes


class MessageRecords:
    """Writes messages.

    Args:
        settings: The source's settings.
        topics: Makes the topic ready.
        database: Database name.
    """

    def __init__(self, settings: PostgresSettings, topics: TableTopics, database: str) -> None:
        self._settings = settings
        self._database = database
        self._topic = f"{settings.name}.message"
        self._mode = settings.form.binary_mode
        value = message_value("bytes" if self._mode == "bytes" else "string")
        self._frames = topics.bind(self._topic, MESSAGE_KEY, value)
        self.collection = DEBEZIUM_COLLECTION if settings.compat else COLLECTION

    def record(self, emitted: Emitted, now_us: int) -> RawRecord:
        """The record of a message.

        Args:
            emitted: The message.
            now_us: The clock in microseconds since 1970.
        """
        source = SourceBlock(
            SourceFacts(
                name=self._settings.name,
                version=self._settings.version,
                database=self._database,
                schema="",
                table="",
                committed_us=emitted.instant_us,
                xid=emitted.xid,
            )
        ).encode(emitted.sequence, emitted.lsn)
        prefix = avro.SOME + avro.string(emitted.prefix)
        value = b"%b%b%b%b%b%b\x02%b" % (
            self._frames[1],
            OP_MESSAGE,
            some_long(now_us // 1000),
            source,
            emitted.block,
            prefix,
            avro.raw(self._content(emitted.content)),
        )
        headers = event_headers(emitted.event_id)
        return RawRecord(self._topic, self._frames[0] + prefix, value, headers)

    def _content(self, content: bytes) -> bytes:
        match self._mode:
            case "base64":
                return b64encode(content)
            case "hex":
                return content.hex().encode()
            case _:
                return content
