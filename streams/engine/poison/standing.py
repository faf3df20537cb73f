"""What is open in a partition and what waits behind it, read from its changelog by a tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.engine.kafka.reading import read_partition
from streams.engine.poison.ledger import OPEN_PREFIX, WAIT_PREFIX, Ledger, Parking

if TYPE_CHECKING:
    from streams.runtime.connection import KafkaConnection


@dataclass(frozen=True, slots=True)
class Standing:
    """How a dead letter stands.

    Attributes:
        attempts: How often its record was tried.
        waiting: Records that wait behind it.
        octets: Bytes that they take.
    """

    attempts: int
    waiting: int
    octets: int


def standing(connection: KafkaConnection, changelog: str, partition: int) -> dict[int, Standing]:
    """The open dead letters of a partition by the offset of their record.

    Reads the whole changelog of the partition: as long as a restore takes.

    Args:
        connection: Where the broker is.
        changelog: Full name of the changelog of the stage's store.
        partition: Partition number.

    Raises:
        Transient: The broker does not answer.
    """
    kept: dict[bytes, bytes] = {}
    for record in read_partition(connection, changelog, partition):
        if record is None or record.key is None:
            continue
        if record.value is None:
            kept.pop(record.key, None)
        elif record.key.startswith((OPEN_PREFIX, WAIT_PREFIX)):
            kept[record.key] = record.value
    ledger = Ledger(kept.get, Parking())
    ledger.load(sorted(kept.items()))
    return {
        offset: Standing(attempts, *ledger.behind(offset))
        for offset, attempts in ledger.open_attempts().items()
    }
