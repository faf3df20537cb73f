"""The composition root of a worker: settings become a codec, an engine, an app."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from streams.agents import register_all
from streams.contracts.provisioning import (
    changelog_spec,
    control_spec,
    dead_letter_spec,
    installation,
    topic_spec,
)
from streams.contracts.shipped import shipped_codec
from streams.engine import EngineSettings, Lotgate
from streams.runtime.settings import WorkerSettings, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.codec import Codec
    from streams.contracts.topic_specs import TopicSpec
    from streams.contracts.topics import Topic
    from streams.runtime.connection import KafkaConnection

DEAD_LETTER_SOURCES = ("erp", "qms", "erp-hold")
"""Connectors with dead letters of their own, by the last part of their group's name."""


@dataclass(frozen=True)
class Encoder:
    """A codec that registers schemas at start, where the settings allow it."""

    codec: Codec
    register: bool

    def prepare(self, topics: Iterable[Topic[Any]]) -> None:
        """Resolve the schema ids of the topics."""
        self.codec.prepare(topics, register=self.register)

    def encode(self, topic: Topic[Any], event: Any) -> bytes:
        """See `Codec.encode`."""
        return self.codec.encode(topic, event)

    def decode(self, topic: Topic[Any], payload: bytes) -> Any:
        """See `Codec.decode`."""
        return self.codec.decode(topic, payload)


def engine_settings(settings: WorkerSettings) -> EngineSettings:
    """What the engine needs, from what the operator set."""
    connection = settings.connection()
    return EngineSettings(
        connection=connection,
        codec=lambda: Encoder(shipped_codec(settings.registry_url, connection), settings.provision),
        data_dir=settings.data_dir,
        instance_id=settings.instance_id,
        build=build(),
        session_timeout_ms=settings.session_timeout_ms,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        cycle_records=settings.cycle_records,
        cycle_floor_s=settings.cycle_floor_ms / 1000,
        fault=settings.fault,
    )


def build() -> str:
    """The version of the running code; it goes into dead letters and re-arms a tripped fuse."""
    return version("lotgate")


def application(name: str) -> Lotgate:
    """An app for stages of your own; it opens nothing until a worker starts it.

    Args:
        name: The app's name: its group, unless `LOTGATE_GROUP` says otherwise.
    """
    app = Lotgate(name)
    app.configure_from(lambda: engine_settings(load(WorkerSettings, {"group": name})))
    return app


def main_job(targets: tuple[str, ...] = ("erp",)) -> Lotgate:
    """The main job: translate, route, causes, lots.

    Args:
        targets: Names of the targets that holds are sent to.
    """
    app = Lotgate("lotgate")
    register_all(app, targets=targets)
    return app


def topics_of(app: Lotgate, connection: KafkaConnection) -> tuple[TopicSpec, ...]:
    """Every topic that an app of a user's own needs: inputs, outputs, changelogs, dead letters."""
    specs = {}
    for stage in app.stages:
        for topic in (stage.topic, *stage.emits):
            specs[topic.name] = topic_spec(topic, connection)
        changelog = changelog_spec(stage.store_name, stage.topic.partitions, connection)
        specs[changelog.name] = changelog
    return (
        *specs.values(),
        dead_letter_spec(connection.group, connection),
        control_spec(connection),
    )


def installation_of(connection: KafkaConnection) -> tuple[TopicSpec, ...]:
    """Every topic of the main job, connectors included."""
    stores = {stage.store_name: stage.topic.partitions for stage in main_job().stages}
    groups = tuple(f"{connection.group}-{name}" for name in DEAD_LETTER_SOURCES)
    return installation(connection, stores=stores, dead_letter_groups=groups)


def schemas_of(app: Lotgate) -> tuple[Topic[Any], ...]:
    """Every topic of an app that needs a schema, once each."""
    found = {topic.name: topic for stage in app.stages for topic in stage.topics}
    return tuple(found.values())
