"""Time from a commit in the database to a read_committed receiver, at a steady rate.

The writer is a process of its own, so that it never waits for the receiver; both read the one
steady clock of the machine. A transaction's time begins when the server's answer to its commit
is there.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from confluent_kafka import Consumer, TopicPartition

from tests.bench.cdc.measure.drain import told
from tests.bench.cdc.measure.progress import Visible
from tests.bench.cdc.output import Written
from tests.bench.measure import procfs
from tests.bench.measure.figures import percentile

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.synchronize import Event

    from tests.bench.cdc.contenders.ours import Ours
    from tests.bench.cdc.debezium.connect import Debezium
    from tests.bench.ground import Ground

RATE: Final = 200
FIRST_S: Final = 90.0
WARM_S: Final = 6.0
AFTER_S: Final = 2.0
INSERT: Final = "insert into reading select * from reading_rows(%s, %s)"


@dataclass(frozen=True)
class Waits:
    """What was measured, in milliseconds, and what it took.

    Attributes:
        count: Transactions measured.
        p50: Half of them were faster.
        p95: 95 in 100 were faster.
        p99: 99 in 100 were faster.
        cpu: CPU seconds of the source per second.
        lost: Transactions that did not come.
        doubled: Transactions that came more than once.
    """

    count: int
    p50: float
    p95: float
    p99: float
    cpu: float
    lost: int
    doubled: int

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms, p99 {self.p99:.1f} ms of {self.count} "
            f"transactions, {self.lost} lost, {self.doubled} doubled; CPU {self.cpu:.2f} s per s"
        )


def write(dsn: str, rate: int, stop: Event, sent: Any) -> None:
    """Commit one row at a time until told to stop; then give each row's instant in nanoseconds."""
    times: dict[int, int] = {}
    with psycopg.connect(dsn, autocommit=True) as database:
        (last,) = database.execute("select coalesce(max(id), 0) from reading").fetchone() or (0,)
        began, number = time.monotonic(), 0
        while not stop.is_set():
            wait = began + number / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            number += 1
            row = last + number
            database.execute(INSERT, (row, row), prepare=True)
            times[row] = time.monotonic_ns()
    sent.put(times)


class Receiver:
    """Reads committed records from the first on and notes when each came."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench-paced",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])
        self.came: list[tuple[int, bytes]] = []

    def until(self, instant: float) -> None:
        """Take what comes until an instant of the steady clock."""
        while time.monotonic() < instant:
            first = self._consumer.poll(0.05)
            if first is None:
                continue
            found = [first, *self._consumer.consume(1_000, 0)]
            now = time.monotonic_ns()
            self.came += [(now, each.value() or b"") for each in found if each.error() is None]

    def close(self) -> None:
        """Let the client go."""
        self._consumer.close()


def waits(
    ground: Ground,
    source: Ours | Debezium,
    process: subprocess.Popen[bytes],
    *,
    seconds: float,
    rate: int = RATE,
) -> Waits:
    """Measure a source that was just started.

    Args:
        ground: Where the broker is.
        source: What runs, on a database of its own.
        process: Its process.
        seconds: Of measuring, after the first record came and the warm-up passed.
        rate: Transactions per second.

    Raises:
        RuntimeError: No record came, or the source ended.
    """
    context = multiprocessing.get_context("spawn")
    stop, sent = context.Event(), context.Queue()
    writer = context.Process(target=write, args=(source.dsn, rate, stop, sent))
    writer.start()
    try:
        _await_first(ground, source, process)
        receiver = Receiver(ground.bootstrap, source.topic)
        receiver.until(time.monotonic() + WARM_S)
        opened, before = time.monotonic_ns(), procfs.cpu_s(process.pid)
        receiver.until(time.monotonic() + seconds)
        closed, after = time.monotonic_ns(), procfs.cpu_s(process.pid)
        receiver.until(time.monotonic() + AFTER_S)
        stop.set()
        committed: dict[int, int] = sent.get(timeout=30)
        writer.join(30)
        receiver.close()
    finally:
        if writer.is_alive():
            writer.kill()
    came = _by_row(ground, source, receiver)
    window = {row: at for row, at in committed.items() if opened <= at < closed}
    found = [(came[row][0] - at) / 1e6 for row, at in window.items() if row in came]
    return Waits(
        count=len(found),
        p50=percentile(found, 0.50),
        p95=percentile(found, 0.95),
        p99=percentile(found, 0.99),
        cpu=(after - before) / seconds,
        lost=len(window) - len(found),
        doubled=sum(len(each) > 1 for each in came.values()),
    )


def _await_first(ground: Ground, source: Ours | Debezium, process: subprocess.Popen[bytes]) -> None:
    topic, deadline = Visible(ground, source.topic), time.monotonic() + FIRST_S
    while not topic.committed():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{source.name}: no record came: {told(source.folder)}")
        time.sleep(0.05)


def _by_row(ground: Ground, source: Ours | Debezium, receiver: Receiver) -> dict[int, list[int]]:
    written = Written(ground.bootstrap, ground.registry_url, source.topic, source.form)
    came: dict[int, list[int]] = {}
    for at, value in receiver.came:
        came.setdefault(written.decoded(value)["after"]["id"], []).append(at)
    return came
