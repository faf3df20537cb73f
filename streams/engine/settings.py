"""Settings of a worker's engine as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streams.contracts.topics import DEAD_LETTER_LIMIT_BYTES, RECORD_LIMIT_BYTES
from streams.engine.kafka.clients import (
    SESSION_TIMEOUT_MS,
    TRANSACTION_TIMEOUT_MS,
    GroupProtocol,
)
from streams.engine.poison.ledger import Parking
from streams.runtime.clock import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from streams.engine.declare import Encoding
    from streams.runtime.connection import KafkaConnection


@dataclass(frozen=True, slots=True)
class FuseLimits:
    """When a partition has produced too many dead letters to go on by itself.

    Attributes:
        run: This many in a row.
        share: More than this share of the window.
        window: Records that the share is taken over.
        least: Records that must have been seen before the share counts.
    """

    run: int = 50
    share: float = 0.2
    window: int = 1_000
    least: int = 100


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything a worker's engine needs to know.

    Attributes:
        connection: Where the broker is, and the group.
        codec: Makes the codec, when the worker starts.
        data_dir: Folder of the stores; one per instance.
        instance_id: Stable name of this instance within the group (a pod's name).
        build: Version of the running code; another build re-arms a tripped fuse.
        session_timeout_ms: How long the group waits for this instance when it is silent. A killed
            one that comes back in this time keeps its partitions; until then nobody has them.
        group_protocol: `classic`, or `consumer` (KIP-848): there the broker assigns partitions,
            says the session time-out, and lets a killed instance in only when that has passed.
        standbys: 1: this worker keeps a copy of every store partition that it does not own, so
            that it takes one over in a moment; costs disk and reading. 0: none.
        transaction_timeout_ms: How long a dead instance's open transaction may block others.
        cycle_records: Most records of one cycle.
        cycle_work_s: Most seconds of rule work in one cycle; the rest of a batch waits.
        cycle_floor_s: Least seconds between the beginnings of two cycles.
        record_limit_bytes: Largest record that a rule may emit.
        dead_letter_limit_bytes: Largest dead letter: a record and its story.
        parking: How much may wait behind the dead letters of one partition.
        fuse: When a partition stops.
        watchdog_s: After this time without movement the process ends itself with a dump of its
            stacks; 0 for never, and then without a supervising process.
        call_s: What the time-outs of one step's calls to the broker add up to: a step that waits
            for the broker hangs when it takes this much longer than `watchdog_s`. 0: the commit's,
            from `transaction_timeout_ms`.
        health_host: Address that probes are answered on.
        health_port: TCP port that probes are answered on; 0 for none.
        shutdown_s: After this time an orderly end becomes a hard one.
        provision: Create missing topics at start.
        fault: Fault point at which the process dies; for tests only.
        client: Further librdkafka settings of producer and consumer.
        clock: The current instant in microseconds since 1970, for timers.
    """

    connection: KafkaConnection
    codec: Callable[[], Encoding]
    data_dir: Path
    instance_id: str = "0"
    build: str = ""
    session_timeout_ms: int = SESSION_TIMEOUT_MS
    group_protocol: GroupProtocol = "classic"
    standbys: int = 0
    transaction_timeout_ms: int = TRANSACTION_TIMEOUT_MS
    cycle_records: int = 20_000
    cycle_work_s: float = 1.0
    cycle_floor_s: float = 0.0
    record_limit_bytes: int = RECORD_LIMIT_BYTES
    dead_letter_limit_bytes: int = DEAD_LETTER_LIMIT_BYTES
    parking: Parking = field(default_factory=Parking)
    fuse: FuseLimits = field(default_factory=FuseLimits)
    watchdog_s: float = 60.0
    call_s: float = 0.0
    health_host: str = "0.0.0.0"  # noqa: S104 - probes come from the node
    health_port: int = 0
    shutdown_s: float = 30.0
    provision: bool = False
    fault: str = ""
    client: Mapping[str, Any] = field(default_factory=dict, repr=False)
    clock: Callable[[], int] = now_us
