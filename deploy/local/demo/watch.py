"""What Lotgate has seen so far, read from the evidence store, and waiting for it to be seen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from localstack.errors import StackError
from psycopg.rows import dict_row

from streams.model.ids import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@dataclass(frozen=True)
class Seen:
    """The last read-back of a lot.

    Attributes:
        result: See `streams.model.hold.AckResult`.
        action: `hold` or `release`.
        ack: The whole ack.
        committed_at: Commit of the row that began it.
        commanded_at: When the command reached its topic.
        read_back_at: When the ERP was read.
    """

    result: str
    action: str
    ack: dict[str, Any]
    committed_at: datetime
    commanded_at: datetime
    read_back_at: datetime

    @property
    def pipeline_seconds(self) -> float:
        """From the commit of the row to the command on its topic."""
        return (self.commanded_at - self.committed_at).total_seconds()

    @property
    def total_seconds(self) -> float:
        """From the commit of the row to the read-back."""
        return (self.read_back_at - self.committed_at).total_seconds()


_ACKS = """
select distinct on (ack.subject_id) ack.subject_id as lot, ack.body, ack.recorded_at,
       command.kafka_timestamp as commanded_at, ack.kafka_timestamp as read_back_at
from evidence.events ack
join evidence.events command
  on command.kind = 'command' and command.body->>'command_id' = ack.body->>'command_id'
where ack.kind = 'ack'
order by ack.subject_id, ack.record_offset desc
"""

_STATES = """
select distinct on (subject_id) subject_id as lot, body
from evidence.events where kind = 'state' order by subject_id, record_offset desc
"""


class Watch:
    """Questions to the evidence store, and waiting with a deadline.

    Args:
        dsn: The evidence database.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def acks(self) -> dict[str, Seen]:
        """The last read-back of each lot, by lot number."""
        return {
            parts_of(row["lot"])[2]: Seen(
                row["body"]["result"],
                row["body"]["action"],
                row["body"],
                row["recorded_at"],
                row["commanded_at"],
                row["read_back_at"],
            )
            for row in self._rows(_ACKS)
        }

    def states(self) -> dict[str, dict[str, Any]]:
        """The last published hold state of each lot, by lot number."""
        return {parts_of(row["lot"])[2]: row["body"] for row in self._rows(_STATES)}

    def known_lots(self) -> set[str]:
        """Numbers of the lots that the facts named."""
        statement = "select number from evidence.lots where material <> ''"
        return {row["number"] for row in self._rows(statement)}

    def until(
        self, what: str, holds: Callable[[], bool], seconds: float, alive: Callable[[], None]
    ) -> None:
        """Wait until something is seen.

        Args:
            what: What is waited for, for the error.
            holds: Asks whether it is seen.
            seconds: How long at most.
            alive: Raises when a process that is needed has ended.

        Raises:
            StackError: It was not seen in time.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            alive()
            if time.monotonic() > deadline:
                raise StackError(
                    f"after {seconds:.0f} s still not seen: {what}. Everything runs on; "
                    "`lotgate doctor` says which part is not well, the logs are in .lotgate/logs"
                )
            time.sleep(0.05)

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(self._dsn, row_factory=dict_row) as connection:
            if connection.execute("select to_regclass('evidence.events') as made").fetchone() == {
                "made": None
            }:
                return []
            return connection.execute(statement).fetchall()
