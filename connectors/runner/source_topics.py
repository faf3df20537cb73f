"""The topics of a source: checked or created at start, raw ones when a table first appears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.runner.connect_json import JsonForm
from connectors.runner.contract.keeping import Contract, Places
from streams.contracts.provisioning import (
    cdc_history_spec,
    cdc_offsets_spec,
    cdc_parked_spec,
    cdc_signals_spec,
    dead_letter_spec,
    schema_changes_spec,
    topic_spec,
)
from streams.contracts.topic_specs import TopicSpec
from streams.contracts.topics import DAY_MS, RECORD_LIMIT_BYTES, TRANSLATE_INPUT
from streams.engine import preflight, provision, read_partition, topic_partitions
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import TableShape
    from connectors.runner.source_config import SourceConfig
    from streams.contracts.registry import Registry
    from streams.runtime.connection import KafkaConnection

RAW_RETENTION_MS = 30 * DAY_MS


class SourceTopics:
    """The topics that one source writes.

    Args:
        config: The source.
        connection: Where the broker is.
        registry: Where schemas get their ids.
    """

    def __init__(
        self, config: SourceConfig, connection: KafkaConnection, registry: Registry
    ) -> None:
        self._config = config
        self._connection = connection
        self._partitions: dict[str, int] = {}
        self.component = f"{connection.group}-{config.source}"
        """Who the dead letters are of."""
        self._dead = dead_letter_spec(self.component, connection)
        self._offsets = cdc_offsets_spec(connection)
        self._input = topic_spec(TRANSLATE_INPUT, connection)
        self._signals = cdc_signals_spec(connection)
        self._beside = [cdc_history_spec(connection), cdc_parked_spec(connection)]
        if config.compat != "debezium":
            # Debezium tells of no change of a PostgreSQL table.
            self._beside.append(schema_changes_spec(config.source, connection))
        names = [spec.name for spec in self._beside]
        form = config.form
        self.json = (
            JsonForm(with_schemas=form.json_schemas) if form.value_format == "json" else None
        )
        """Writes records as JSON; None where they are Avro."""
        self.contract = Contract(
            config, connection, self.json or registry, Places(names[0], names[1], *names[2:])
        )

    @property
    def dead_letters(self) -> str:
        """Where rows go that cannot be carried."""
        return self._dead.name

    @property
    def offsets(self) -> str:
        """Where positions are kept."""
        return self._offsets.name

    @property
    def signals(self) -> str:
        """Where operators' orders come from."""
        return self._signals.name

    @property
    def transactions(self) -> str:
        """Where the transaction records go."""
        return self._input.name

    def prepare(self) -> None:
        """Create what is missing, if that is allowed, and check the rest.

        Raises:
            Misconfigured: A topic is missing or wrongly set.
            Transient: The broker does not answer.
        """
        self._partitions.clear()
        facts = self._ready([self._dead, self._offsets, self._input, self._signals, *self._beside])
        self._partitions.update(facts)
        have = facts[self._offsets.name]
        if not 0 <= self._config.partition < have:
            raise Misconfigured(
                f"Source {self._config.source} keeps its position in partition "
                f"{self._config.partition} of {self._offsets.name}, which has {have}",
                code="source_partition",
                kept="nothing was read",
                advice=f"set a partition from 0 to {have - 1} that no other source uses",
            )

    def written(self) -> dict[str, int]:
        """Numbers of partitions of the topics that are there and that this source writes.

        Raises:
            Transient: The broker does not answer.
        """
        raw = f"{self._config.postgres(self._connection.prefix).name}."
        there = topic_partitions(self._connection)
        return {
            name: count
            for name, count in there.items()
            if name.startswith(raw) or (name in self._partitions and name != self.signals)
        }

    def announce(self, topics: Sequence[str]) -> None:
        """See `connectors.base.TableTopics.announce`."""
        new = [self._raw(topic) for topic in topics if topic not in self._partitions]
        if new:
            self._partitions.update(self._ready(new))

    def bind(
        self,
        topic: str,
        key: dict[str, Any] | None,
        value: dict[str, Any],
        shape: TableShape | None = None,
    ) -> tuple[bytes, bytes]:
        """See `connectors.base.TableTopics.bind`."""
        self.announce([topic])
        return self.contract.frames(topic, key, value, shape)

    def told(self, topic: str) -> Iterator[tuple[bytes, bool]]:
        """See `connectors.base.TableTopics.told`."""
        for partition in range(self._partitions[topic]):
            for record in read_partition(self._connection, topic, partition):
                if record is not None and record.key is not None:
                    yield record.key, record.value is not None

    def _raw(self, topic: str) -> TopicSpec:
        config = {
            "cleanup.policy": "delete",
            "retention.ms": str(RAW_RETENTION_MS),
            "max.message.bytes": str(RECORD_LIMIT_BYTES),
            "min.insync.replicas": str(self._connection.min_insync),
        }
        copies = self._connection.replication_factor
        return TopicSpec(topic, self._config.raw_partitions, copies, config)

    def partitions(self, topic: str) -> int:
        """Partitions of a raw topic."""
        self.announce([topic])
        return self._partitions[topic]

    def _ready(self, specs: list[TopicSpec]) -> dict[str, int]:
        if self._config.provision:
            provision(self._connection, specs)
        facts = preflight(
            self._connection,
            specs,
            transaction_timeout_ms=self._config.transaction_timeout_ms,
        )
        return {name: each.partitions for name, each in facts.items()}
