"""The main job in one process: its stages, rules, stores and codecs; topics in memory."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Self

from streams import app as composition
from streams.engine.testing import Driver

if TYPE_CHECKING:
    from streams.contracts.topics import Topic


class Flow:
    """Feeds records through the main job until nothing moves."""

    def __init__(self) -> None:
        job = composition.main_job()
        self._driver = Driver(job)
        self._topics = {
            topic.name: topic for stage in job.stages for topic in (stage.topic, *stage.emits)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._driver.close()

    def feed(self, topic: Topic[Any], event: Any) -> None:
        """Write an event and let everything that follows from it happen."""
        self._driver.send(event, topic=topic)
        self._driver.settle()

    @property
    def records(self) -> dict[str, list[Any]]:
        """Every event by topic, in order."""
        found: dict[str, list[Any]] = defaultdict(list)
        for name, topic in self._topics.items():
            found[name] = self._driver.emitted(topic)
        return found
