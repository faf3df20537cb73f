"""What was found running, as values: the other side of every comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LiveTopic:
    """A topic of the broker.

    Attributes:
        partitions: Number of partitions.
        replicas: Copies of its first partition.
        config: Its settings, by the broker's names.
    """

    partitions: int
    replicas: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LiveSubject:
    """A subject of the registry.

    Attributes:
        id: Id of its newest schema, None if it has none.
        shape: The newest schema as `schema_tree.shape`; empty if there is none.
        level: The level that holds for it.
    """

    id: int | None
    shape: str
    level: str


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule of the broker's access list.

    Attributes:
        principal: As `User:name`, `User:*` for everybody.
        name: The topic's name, or its beginning.
        is_prefix: Whether `name` is a beginning.
        operation: `READ`, `WRITE`, `ALL`, ….
        allows: False for a rule that denies.
    """

    principal: str
    name: str
    is_prefix: bool
    operation: str
    allows: bool = True

    def covers(self, topic: str) -> bool:
        """Whether the rule is about a topic."""
        if self.is_prefix:
            return topic.startswith(self.name)
        return self.name in {"*", topic}


@dataclass(frozen=True, slots=True)
class LiveConnector:
    """What a running connector says that it does.

    Attributes:
        dead_letters: Full name of its topic of dead letters.
        retry: Its budget, by the names of `RetryBudget`.
    """

    dead_letters: str
    retry: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Live:
    """An installation as it was found.

    Attributes:
        topics: Topics by full name.
        subjects: Subjects by name; None if no registry was asked.
        grants: Access rules on topics; None if the broker has no access control.
        quotas: By account name (without `User:`), then by the broker's name of the quota; None if
            they could not be asked for.
        connectors: What those say that were asked, by name.
        min_insync: Copies that the installation demands at least.
        replication_factor: Copies of a partition that it demands at least.
    """

    topics: Mapping[str, LiveTopic]
    subjects: Mapping[str, LiveSubject] | None = None
    grants: Sequence[Grant] | None = None
    quotas: Mapping[str, Mapping[str, float]] | None = None
    connectors: Mapping[str, LiveConnector] = field(default_factory=dict)
    min_insync: int = 1
    replication_factor: int = 1


def connector_told(answer: Mapping[str, Any]) -> LiveConnector | None:
    """What a connector's probe says of its contract, None if it says nothing."""
    told = answer.get("contract")
    if not isinstance(told, Mapping):
        return None
    retry = told.get("retry", {})
    return LiveConnector(str(told.get("dead_letters", "")), dict(retry))
