"""The main job in one process: real stages, rules and codecs; queues in the place of topics."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from streams import app as composition
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from streams.contracts.topics import Topic
    from streams.engine import Stage


class Table:
    """One store; states are kept as the bytes that a changelog would hold."""

    def __init__(self, codec: Codec, topic: Topic[Any]) -> None:
        self._codec = codec
        self._topic = topic
        self._bytes: dict[str, bytes] = {}

    def get(self, key: str) -> Any:
        """The state of a key, decoded."""
        held = self._bytes.get(key)
        return None if held is None else self._codec.decode(self._topic, held)

    def put(self, key: str, state: Any) -> None:
        """Encode and keep a state."""
        self._bytes[key] = self._codec.encode(self._topic, state)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._bytes.pop(key, None)


class Flow:
    """Feeds records through the main job until nothing moves.

    Args:
        folder: Where the schema ids of this run are kept.
    """

    def __init__(self, folder: Path) -> None:
        job = composition.main_job()
        self.codec = Codec(Catalog.load(), FileRegistry(folder / "registry.json"))
        self.codec.prepare(composition.schemas_of(job), register=True)
        self.records: dict[str, list[Any]] = defaultdict(list)
        self._stages = {stage.topic.name: stage for stage in job.stages}
        self._tables = {
            stage.name: Table(self.codec, stage.store.topic)
            for stage in job.stages
            if stage.store is not None
        }
        self._waiting: deque[tuple[Topic[Any], str, bytes]] = deque()

    def feed(self, topic: Topic[Any], event: Any) -> None:
        """Write an event and let everything that follows from it happen."""
        self._write(topic, event)
        while self._waiting:
            source, key, payload = self._waiting.popleft()
            event = self.codec.decode(source, payload)
            self.records[source.name].append(event)
            if source.name in self._stages:
                self._step(self._stages[source.name], key, event)

    def _write(self, topic: Topic[Any], event: Any) -> None:
        self._waiting.append((topic, topic.key(event), self.codec.encode(topic, event)))

    def _step(self, stage: Stage, key: str, event: Any) -> None:
        table = self._tables.get(stage.name)
        if stage.scope == "partition":
            emits = stage.rule(table, event)
        else:
            verdict = stage.rule(table.get(key) if table else None, event)
            emits = verdict.emits
            if table is not None and verdict.state is not None:
                table.put(key, verdict.state)
        for emitted in emits:
            self._write(stage.routes[type(emitted)], emitted)
