"""The history of a source's shapes: one version after the other, kept in a compacted topic."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from connectors.base import ShapeColumn, TableShape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a table's shape.

    Attributes:
        topic: The raw topic, full name.
        number: From 1; a shape that comes back is a new version.
        shape: The shape.
        key_schema: Schema of the keys; None for a table without a key.
        value_schema: Schema of the values.
        first_event: Id of the first event of this version; empty until there was one.
    """

    topic: str
    number: int
    shape: TableShape
    key_schema: Any
    value_schema: Any
    first_event: str = ""

    def same(self, shape: TableShape, key_schema: Any, value_schema: Any) -> bool:
        """Whether rows of this version and of these are written alike and mean alike."""
        return (self.shape, self.key_schema, self.value_schema) == (shape, key_schema, value_schema)

    def record(self) -> bytes:
        """The version as a record's value."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Version:
        """The version that a record's value holds."""
        shape = content["shape"]
        columns = tuple(ShapeColumn(**column) for column in shape["columns"])
        return cls(**{**content, "shape": TableShape(shape["table"], shape["identity"], columns)})


class History:
    """The shapes of one source by raw topic.

    Args:
        source: Source id.
        stored: What the history topic holds of this source, by record key.
    """

    def __init__(self, source: str, stored: Mapping[bytes, bytes]) -> None:
        self._source = source
        self._versions: dict[str, dict[int, Version]] = {}
        self.fresh: dict[str, list[Version]] = {}
        """Versions by topic that no event was written with yet, in order."""
        for value in stored.values():
            self._keep(Version.of(json.loads(value)))

    def version(self, topic: str, shape: TableShape, key: Any, value: Any) -> Version:
        """The version of a shape: the latest one, or a new one behind it."""
        latest = self.latest(topic)
        if latest is not None and latest.same(shape, key, value):
            return latest
        number = 1 if latest is None else latest.number + 1
        version = Version(topic, number, shape, key, value)
        self._keep(version)
        self.fresh.setdefault(topic, []).append(version)
        return version

    def latest(self, topic: str) -> Version | None:
        """The newest version of a topic's shape."""
        known = self._versions.get(topic)
        return known[max(known)] if known else None

    def find(self, topic: str, number: int) -> Version | None:
        """A version by its number."""
        return self._versions.get(topic, {}).get(number)

    def all(self) -> tuple[Version, ...]:
        """Every version, by topic and number."""
        return tuple(
            versions[number]
            for _, versions in sorted(self._versions.items())
            for number in sorted(versions)
        )

    def before(self, version: Version) -> Version | None:
        """The version that a version came after."""
        return self.find(version.topic, version.number - 1)

    def begun(self, topic: str, event_id: str) -> Iterable[Version]:
        """Tell of the first event of a topic's fresh versions.

        Returns:
            The versions to be stored with that event.
        """
        begun = [replace(each, first_event=event_id) for each in self.fresh.pop(topic, ())]
        for version in begun:
            self._keep(version)
        return begun

    def key(self, version: Version) -> bytes:
        """The record key of a version."""
        return json.dumps([self._source, version.topic, version.number]).encode()

    def _keep(self, version: Version) -> None:
        self._versions.setdefault(version.topic, {})[version.number] = version
