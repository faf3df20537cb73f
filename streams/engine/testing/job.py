"""What every part of the driver shares: the stages, the topics, the codec, the clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from streams.engine.app import Lotgate
from streams.engine.cycle.demands import refuse_shared_inputs
from streams.engine.declare import Stage
from streams.engine.settings import EngineSettings
from streams.engine.testing.codec import MemoryRegistry, local_codec
from streams.engine.testing.memory import Broker
from streams.runtime.connection import KafkaConnection

if TYPE_CHECKING:
    from streams.contracts.topics import Topic
    from streams.engine.control import Decision
    from streams.engine.declare import Encoding
    from streams.engine.poison.ledger import Parking
    from streams.engine.settings import FuseLimits

GROUP: Final = "driver"
Stages = Lotgate | Stage | Iterable[Stage]
"""What can be driven: an application, or stages of one."""


class Limits(TypedDict, total=False):
    """Settings of the engine that a test may want to see at work; see `EngineSettings`."""

    build: str
    cycle_records: int
    fuse: FuseLimits
    parking: Parking
    record_limit_bytes: int


class Job:
    """A job and its topics, with nothing running."""

    def __init__(
        self,
        job: Stages,
        *,
        codec: Encoding | None = None,
        now_us: int = 0,
        **limits: Unpack[Limits],
    ) -> None:
        """Make ready.

        Args:
            job: The application, or stages of one.
            codec: Encodes and decodes; by default the real Avro codec with the shipped schemas
                and those that topics and stores bring.
            now_us: The instant that the clock begins at, microseconds since 1970.
            **limits: Limits of the engine that differ from its defaults.

        Raises:
            Misconfigured: The stages do not fit together, or a schema does not fit its type.
        """
        self._connection = KafkaConnection("", group=GROUP)
        self._registry = MemoryRegistry()
        self._given_codec = codec
        self._stages: list[Stage] = []
        self._release(job)
        self.now_us = now_us
        self._broker = Broker(self._now)
        self._decisions: list[Decision] = []
        self._folder = TemporaryDirectory(prefix="lotgate-driver-")
        self._settings = replace(
            EngineSettings(
                connection=self._connection,
                codec=lambda: self.codec,
                data_dir=Path(self._folder.name) / "stores",
                clock=self._now,
            ),
            **limits,
        )

    def _now(self) -> int:
        return self.now_us

    def _release(self, job: Stages) -> None:
        """Take the stages of a release, and a codec as a new process would make it."""
        if isinstance(job, Stage):
            stages = [job]
        else:
            stages = list(job.stages if isinstance(job, Lotgate) else job)
        refuse_shared_inputs(stages)
        codec = self._given_codec or local_codec(self._registry, self._connection)
        codec.prepare([topic for stage in stages for topic in stage.topics])
        self._stages, self.codec = stages, codec

    def _full(self, topic: Topic[Any]) -> str:
        connection = self._connection
        return topic.full_name(connection.prefix, connection.group)
