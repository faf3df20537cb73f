"""The rows of the bench: who runs what on which input."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from tests.bench import envelope_job, job
from tests.bench.ground import holds
from tests.bench.measure.watch import Watch, ended
from tests.bench.measure.window import Run
from tests.bench.ours import EXAMPLE, Ours
from tests.bench.peers.contenders import KafkaStreams, Peer, Quix, StockFaust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.ground import Ground
    from tests.bench.peers.setup import Peers

LOTS: Final = 20_000
MANY_LOTS: Final = 200_000
LIMIT_S: Final = 600.0

Engine = Literal["ours", "streams", "quix", "faust"]
PEERS: Final[Mapping[Engine, type[Peer]]] = {
    "streams": KafkaStreams,
    "quix": Quix,
    "faust": StockFaust,
}
TUNED: Final = {"commit.interval.ms": 10, "producer.linger.ms": 0}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        key: Its name in the results.
        title: Its name for people.
        engine: Whose.
        input: Which input it reads.
        processes: Workers that are started.
        members: Members of the group that share the work.
        app: Ours: the app's place.
        settings: A peer's settings beside its defaults.
    """

    key: str
    title: str
    engine: Engine
    input: str = "normal"
    processes: int = 1
    members: int = 1
    app: str = EXAMPLE
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """An input that is there: its prefix among topics, and what a right run makes of it."""

    prefix: str
    expected: job.Expected


@dataclass(frozen=True)
class Result:
    """A run and whether its output was, as a multiset, what it must be."""

    run: Run
    exact: bool


THROUGHPUT: Final = (
    Row("ours", "Lotgate, one worker", "ours"),
    Row("ks", "Kafka Streams exactly_once_v2, 1 thread", "streams"),
    Row(
        "ks_cached",
        "Kafka Streams exactly_once_v2, 1 thread, store cache",
        "streams",
        settings={"bench.cached": "true"},
    ),
    Row(
        "ks_general",
        "Kafka Streams exactly_once_v2, 1 thread, state by Avro's general serde",
        "streams",
        settings={"bench.state.schema": json.dumps(job.LOT_STATE)},
    ),
    Row("quix", "Quix Streams exactly-once", "quix"),
    Row("ours_2", "Lotgate, two workers", "ours", processes=2, members=2),
    Row(
        "ks_2",
        "Kafka Streams exactly_once_v2, 2 threads",
        "streams",
        members=2,
        settings={"num.stream.threads": 2},
    ),
    Row("ours_wide", "Lotgate, 200,000 lots", "ours", input="wide"),
    Row("ours_envelope", "Lotgate, the model's envelope", "ours", "envelope", app=envelope_job.APP),
    Row("faust", "stock Faust, at least once", "faust", input="slice"),
)
LATENCY: Final = (
    Row("ours", "Lotgate, one worker", "ours"),
    Row("ks_tuned", "Kafka Streams, commit 10 ms, linger 0", "streams", settings=TUNED),
    Row("ks_default", "Kafka Streams, its defaults", "streams"),
)


def contender(row: Row, ground: Ground, peers: Peers, prefix: str, group: str) -> Ours | Peer:
    """The row as something to start on an input."""
    ours = Ours(ground, prefix, group, row.app)
    if row.engine == "ours":
        return ours
    return PEERS[row.engine](ground, peers, ours.input, group, row.settings)


def made(ground: Ground, records: int, slice_records: int, wanted: set[str]) -> dict[str, Input]:
    """Produce the inputs that are wanted, each once; the model's events are half as many."""
    found: dict[str, Input] = {}
    for prefix, count, lots in (
        ("normal", records, LOTS),
        ("wide", records, MANY_LOTS),
        ("slice", slice_records, LOTS),
    ):
        if prefix in wanted:
            first = Ours(ground, prefix, "first")
            first.prepare()
            found[prefix] = Input(prefix, ground.produce_inspections(first.input, count, lots))
    if "envelope" in wanted:
        first = Ours(ground, "envelope", "first", envelope_job.APP)
        first.prepare()
        found["envelope"] = Input("envelope", envelope_job.produced(first, records // 2, LOTS))
    return found


def once(row: Row, ground: Ground, peers: Peers, source: Input, group: str) -> Result:
    """One run of a row in a new group, and a look at its output.

    Raises:
        RuntimeError: It ended or did not end in time; what it said last is in the text.
    """
    it = contender(row, ground, peers, source.prefix, group)
    it.prepare()
    since = ground.ends(it.output)
    watch = Watch(ground, it.input, it.full_group, row.members)
    began = time.monotonic()
    processes = [it.start(str(number)) for number in range(row.processes)]
    try:
        run = watch.follow(processes, began, LIMIT_S)
    except RuntimeError as failure:
        logs = sorted(it.folder.glob("worker-*.log"))
        told = [f"{each.name}: {each.read_text(errors='replace')[-2_000:]}" for each in logs]
        raise RuntimeError("\n".join([str(failure), *told])) from failure
    finally:
        ended(processes)
    exact = holds(ground, it.output, since) == source.expected.holds
    ground.forget(group, it.folder)
    return Result(run, exact)
