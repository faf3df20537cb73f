"""The composition root of a worker: settings become a codec, an engine, an app."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from streams.agents import register_all
from streams.contracts.codec import Codec
from streams.contracts.provisioning import (
    changelog_spec,
    control_spec,
    dead_letter_spec,
    installation,
    topic_spec,
)
from streams.contracts.shipped import shipped_codec
from streams.engine import EngineSettings, Lotgate, Parking
from streams.errors import Misconfigured
from streams.runtime.settings import CommonSettings, WorkerSettings, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.contracts.topic_specs import TopicSpec
    from streams.contracts.topics import Topic
    from streams.runtime.connection import KafkaConnection

S = TypeVar("S", bound=CommonSettings)
SOURCES = ("erp", "qms", "crm")
"""Databases that connectors read, by their source ids."""
DEAD_LETTER_SOURCES = (*SOURCES, "erp-hold")
"""Connectors with dead letters of their own, by the last part of their group's name."""


class Registering(Codec):
    """A codec that registers schemas at start, where the settings allow it."""

    def prepare(self, topics: Iterable[Topic[Any]], *, register: bool = True) -> None:
        """See `Codec.prepare`."""
        super().prepare(topics, register=register)


def engine_settings(settings: WorkerSettings) -> EngineSettings:
    """What the engine needs, from what the operator set."""
    connection = settings.connection()
    return EngineSettings(
        connection=connection,
        codec=lambda: shipped_codec(
            settings.registry_url, connection, Registering if settings.provision else Codec
        ),
        data_dir=settings.data_dir,
        instance_id=settings.instance_id,
        build=build(),
        session_timeout_ms=settings.session_timeout_ms,
        group_protocol=settings.group_protocol,
        standbys=settings.standbys,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        cycle_records=settings.cycle_records,
        cycle_floor_s=settings.cycle_floor_ms / 1000,
        parking=Parking(settings.parking_records, settings.parking_bytes),
        watchdog_s=settings.watchdog_s,
        health_host=settings.health_host,
        health_port=settings.health_port,
        provision=settings.provision,
        fault=settings.fault,
    )


def build() -> str:
    """The version of the running code; it goes into dead letters and re-arms a tripped fuse."""
    return version("lotgate")


def application(name: str, *, broker: str = "lotgate://") -> Lotgate:
    """An app for stages of your own; it opens nothing until a worker starts it.

    Args:
        name: The app's name: its group, unless `LOTGATE_GROUP` says otherwise.
        broker: `lotgate://host:port[;…]`; without a host, `LOTGATE_BOOTSTRAP` names the broker.
            Faust's own variable `BROKER_URL` overrides it.
    """
    app = Lotgate(name, broker=broker)
    app.configure_from(lambda: engine_settings(settings_of(app, WorkerSettings)))
    return app


def settings_of(app: Lotgate, process: type[S], defaults: Mapping[str, Any] | None = None) -> S:
    """Read the settings of a process that is about a user's own app.

    The app's name is its group, unless `LOTGATE_GROUP` is set. A broker that the app names goes
    before `LOTGATE_BOOTSTRAP`, as it does when the app runs.

    Args:
        app: The app.
        process: The settings class.
        defaults: Values for what neither the app nor the environment sets.

    Raises:
        Misconfigured: `bad_broker_url`: the app's broker is of another transport, which would
            run its stages outside of any transaction; or as `load`.
    """
    urls = app.conf.broker
    foreign = [url.scheme for url in urls if url.scheme != "lotgate"]
    if foreign:
        raise Misconfigured(
            f"the app {app.conf.id} has a broker URL of the transport {foreign[0]}://",
            code="bad_broker_url",
            kept="nothing was read or written",
            advice="write lotgate://host:port, in the app or in BROKER_URL",
        )
    given = {**(defaults or {}), "group": app.conf.id}
    named = ",".join(f"{url.host}:{url.port or 9092}" for url in urls if url.host)
    if not named:
        return load(process, given)
    settings = load(process, {**given, "bootstrap": named})
    return settings.model_copy(update={"bootstrap": named})


def main_job(targets: tuple[str, ...] = ("erp",)) -> Lotgate:
    """The main job: translate, route, causes, lots.

    Args:
        targets: Names of the targets that holds are sent to.
    """
    app = Lotgate("lotgate")
    register_all(app, targets=targets)
    return app


def topics_of(
    app: Lotgate, connection: KafkaConnection, existing: Mapping[str, int] | None = None
) -> tuple[TopicSpec, ...]:
    """Every topic that an app of a user's own needs: inputs, outputs, changelogs, dead letters.

    Args:
        app: The app.
        connection: The installation.
        existing: Partitions of inputs that exist, by full name: a changelog has as many.
    """
    specs = {}
    for stage in app.stages:
        for topic in (stage.topic, *stage.emits):
            spec = topic_spec(topic, connection)
            specs[spec.name] = spec
        name = stage.topic.full_name(connection.prefix, connection.group)
        partitions = (existing or {}).get(name, stage.topic.partitions)
        changelog = changelog_spec(stage.store_name, partitions, connection)
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
    return installation(connection, stores=stores, dead_letter_groups=groups, sources=SOURCES)


def schemas_of(app: Lotgate) -> tuple[Topic[Any], ...]:
    """Every topic of an app that needs a schema, once each."""
    found = {topic.name: topic for stage in app.stages for topic in stage.topics}
    return tuple(found.values())
