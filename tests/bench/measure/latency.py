"""Time from produce to read_committed receive at a steady rate.

The producer is a process of its own, so that it never waits for the reader; both read the one
steady clock of the machine. One record in ten makes a hold: the second failure of a lot whose first
came a second before. All others are ordinary results.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.bench import job
from tests.bench.measure import procfs
from tests.bench.measure.figures import percentile

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from multiprocessing.synchronize import Event

    from tests.bench.ground import Ground

RATE: Final = 2_000
LOTS: Final = 20_000
PROBE_EVERY: Final = 10
BETWEEN_FAILURES: Final = RATE // PROBE_EVERY
FIRST_S: Final = 60.0
WARM_S: Final = 6.0
AFTER_S: Final = 1.0


@dataclass(frozen=True)
class Latency:
    """What was measured, in milliseconds, and what it took.

    Attributes:
        count: Holds measured.
        p50: Half of them were faster.
        p95: 95 in 100 were faster.
        p99: 99 in 100 were faster.
        cpu: CPU seconds of the engine's processes per second.
        broker: CPU seconds of the broker per second.
        lost: Holds that did not come.
    """

    count: int
    p50: float
    p95: float
    p99: float
    cpu: float
    broker: float
    lost: int

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms, p99 {self.p99:.1f} ms of {self.count} "
            f"holds, {self.lost} lost; CPU {self.cpu:.2f} s per s, broker {self.broker:.2f}"
        )


def event_at(seq: int) -> job.Inspection:
    """The record at a position of the paced stream."""
    probe, place = divmod(seq, PROBE_EVERY)
    if place == 0:
        return job.inspection(seq, f"PROBE-{probe:07d}", job.UPPER + 1)
    if place == PROBE_EVERY // 2 and probe > BETWEEN_FAILURES:
        return job.inspection(seq, f"PROBE-{probe - BETWEEN_FAILURES:07d}", job.UPPER + 1)
    return job.inspection(seq, job.lot_name(seq * 7919 % LOTS), job.LOWER + 1)


def is_probe(seq: int) -> bool:
    """Whether this record makes a hold."""
    probe, place = divmod(seq, PROBE_EVERY)
    return place == PROBE_EVERY // 2 and probe > BETWEEN_FAILURES


def pace(bootstrap: str, topic: str, schema_id: int, stop: Event, sent: Any) -> None:
    """Produce at the rate until told to stop; then give each probe's instant in nanoseconds."""
    wire = job.Wire(job.INSPECTION, schema_id)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 1,
            "log_level": 0,
        }
    )
    times: dict[int, int] = {}
    began, seq = time.monotonic(), 0
    while not stop.is_set():
        due = began + seq / RATE
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        seq += 1
        event = event_at(seq)
        value = wire.encode(event)
        if is_probe(seq):
            times[seq] = time.monotonic_ns()
        producer.produce(topic, value, event["lot"].encode())
        producer.poll(0)
    producer.flush(10)
    sent.put(times)


class Receiver:
    """Reads committed holds and notes when each came."""

    def __init__(self, ground: Ground, topic: str, schema: dict[str, Any]) -> None:
        self._wire = job.Wire(schema, 0)
        self._consumer = Consumer(
            {
                "bootstrap.servers": ground.bootstrap,
                "group.id": "bench-latency",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )
        starts = ground.ends(topic)
        self._consumer.assign([TopicPartition(topic, n, at) for n, at in enumerate(starts)])
        self.came: list[tuple[int, bytes]] = []

    def take(self) -> None:
        """Take what is there, waiting a little for the first."""
        first = self._consumer.poll(0.05)
        if first is None:
            return
        found = [first, *self._consumer.consume(1_000, 0)]
        now = time.monotonic_ns()
        self.came += [(now, each.value() or b"") for each in found if each.error() is None]

    def until(self, instant: float) -> None:
        """Go on taking until an instant of the steady clock."""
        while time.monotonic() < instant:
            self.take()

    def close(self) -> dict[int, int]:
        """When each hold came first, by the position of the record that caused it."""
        self._consumer.close()
        times: dict[int, int] = {}
        for at, value in self.came:
            times.setdefault(self._wire.decode(value)["source_seq"], at)
        return times


def measured(
    ground: Ground,
    source: str,
    target: str,
    workers: Sequence[subprocess.Popen[bytes]],
    *,
    seconds: float,
) -> Latency:
    """Measure workers that were just started on a new, empty input.

    Args:
        ground: Where they run.
        source: Their input.
        target: Their output.
        workers: They themselves; none to measure the broker and the clients alone, with the input
            as output.
        seconds: Of measuring, after the first hold came and the warm-up passed.

    Raises:
        RuntimeError: No hold came, or a worker ended.
    """
    schema = job.HOLD if workers else job.INSPECTION
    receiver = Receiver(ground, target, schema)
    context = multiprocessing.get_context("spawn")
    stop, sent = context.Event(), context.Queue()
    schema_id = ground.schema_id(source)
    pacer = context.Process(target=pace, args=(ground.bootstrap, source, schema_id, stop, sent))
    pacer.start()
    try:
        deadline = time.monotonic() + FIRST_S
        while not receiver.came:
            receiver.take()
            if time.monotonic() > deadline or any(each.poll() is not None for each in workers):
                raise RuntimeError(f"no hold came from {target}")
        receiver.until(time.monotonic() + WARM_S)
        opened, before = time.monotonic_ns(), _cpu(ground, workers)
        receiver.until(time.monotonic() + seconds)
        closed, after = time.monotonic_ns(), _cpu(ground, workers)
        receiver.until(time.monotonic() + AFTER_S)
        stop.set()
        produced: dict[int, int] = sent.get(timeout=30)
        pacer.join(30)
    finally:
        if pacer.is_alive():
            pacer.kill()
    came = receiver.close()
    window = {seq: at for seq, at in produced.items() if opened <= at < closed}
    waits = [(came[seq] - at) / 1e6 for seq, at in window.items() if seq in came]
    return Latency(
        count=len(waits),
        p50=percentile(waits, 0.50),
        p95=percentile(waits, 0.95),
        p99=percentile(waits, 0.99),
        cpu=(after[0] - before[0]) / seconds,
        broker=(after[1] - before[1]) / seconds,
        lost=len(window) - len(waits),
    )


def _cpu(ground: Ground, workers: Sequence[subprocess.Popen[bytes]]) -> tuple[float, float]:
    ours = sum(procfs.cpu_s(worker.pid) for worker in workers)
    return ours, procfs.cpu_s(ground.broker_pid)
