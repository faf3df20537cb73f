"""A source finds its newest position whatever other sources have open at that moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from connectors.base import Position
from connectors.runner.source_config import SourceConfig
from connectors.runner.source_position import stored_position, transactional_id
from connectors.runner.source_topics import SourceTopics
from streams.contracts.file_registry import FileRegistry
from streams.contracts.provisioning import cdc_offsets_spec
from streams.engine import Transaction, provision
from streams.errors import Misconfigured
from streams.runtime.connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.urs("M4.4", "M5.6")

NUMBERS = count(1)
ONE = SourceConfig(
    "one", translator="", site="PLANT1", dsn="", slot="one", publication="one", partition=0
)
TWO = replace(ONE, source="two", partition=1)


class Plant:
    """Two sources of one group."""

    def __init__(self, connection: KafkaConnection, folder: Path) -> None:
        self.connection = connection
        self._registry = FileRegistry(folder / "registry.json")
        self._topic = cdc_offsets_spec(connection).name
        self.writers = {
            each.source: Transaction(connection, transactional_id(connection, each.source))
            for each in (ONE, TWO)
        }

    def write(self, source: SourceConfig, lsn: int) -> Transaction:
        """Begin a transaction of a source with its position in it, and leave it open."""
        transaction = self.writers[source.source]
        transaction.begin()
        transaction.produce(
            self._topic, source.source.encode(), b'{"lsn":%d}' % lsn, partition=source.partition
        )
        transaction.flush()
        return transaction

    def stored(self, source: SourceConfig) -> Position | None:
        topics = SourceTopics(source, self.connection, self._registry)
        return stored_position(self.connection, topics, source)


@pytest.fixture
def plant(broker: str, tmp_path: Path) -> Iterator[Plant]:
    connection = KafkaConnection(broker, group=f"positions-{next(NUMBERS)}")
    provision(connection, [cdc_offsets_spec(connection)])
    made = Plant(connection, tmp_path)
    yield made
    for writer in made.writers.values():
        writer.close()


def test_an_open_transaction_of_another_source_hides_no_position(plant: Plant) -> None:
    plant.write(TWO, 7).commit()
    unfinished = plant.write(TWO, 8)
    plant.write(ONE, 1).commit()
    plant.write(ONE, 2).commit()
    assert plant.stored(ONE) == Position({"lsn": 2})
    assert unfinished.is_open
    unfinished.commit()
    assert plant.stored(TWO) == Position({"lsn": 8})
    assert plant.stored(ONE) == Position({"lsn": 2})


@pytest.mark.parametrize("is_committed", [False, True])
def test_whose_partition_is_shared_by_mistake_neither_reads_an_old_position_nor_goes_on(
    plant: Plant, *, is_committed: bool
) -> None:
    """The other's transaction began first: all of ours is behind the end that readers see."""
    plant.write(ONE, 1).commit()
    other = plant.write(replace(TWO, partition=0), 8)
    plant.write(ONE, 2).commit()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(plant.stored, ONE)
        with pytest.raises(TimeoutError):
            answer.result(1.0)
        if is_committed:
            other.commit()
            with pytest.raises(Misconfigured, match="source two"):
                answer.result(20)
        else:
            other.abort()
            assert answer.result(20) == Position({"lsn": 2})
