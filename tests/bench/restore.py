"""How long a partition of many keys takes to come back, and what its neighbour notices.

Also how long a worker that was killed takes from its restart to the first record.

Run: `python -m tests.bench.restore [--keys 1000000]`. One worker of the reference job in small on
a broker of its own; the last line is one JSON object. Seconds are from the assignment to the first
moment the partition could be consumed, as the worker's own log tells them.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, Producer, TopicPartition
from localstack.layout import REPOSITORY

from streams.engine import Transaction
from streams.engine.cycle.partition import STARTED_KEY
from tests.live import engine_job as job
from tests.live.engine_lab import Lab, borrowed, inspections
from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE, NEIGHBOUR = 0, 1
RESTORED = re.compile(r"(\d+) partitions restored, (\d+) records in ([0-9.]+) s")
PER_SECOND = 2_000
LIMIT_S = 300.0

log = logging.getLogger("restore")


def fill(lab: Lab, keys: int) -> None:
    """Write the large partition's changelog, and the positions that belong to it."""
    value = lab.codec.encode(job.LOTS.topic, job.LotCount(1, 1, 0, False))
    with Transaction(lab.connection, "filling") as transaction:
        for first in range(0, keys, 100_000):
            transaction.begin()
            for number in range(first, min(keys, first + 100_000)):
                transaction.produce(lab.changelog, b"L%07d" % number, value, partition=LARGE)
            transaction.commit()
        transaction.begin()
        for number in (LARGE, NEIGHBOUR):
            transaction.produce(lab.changelog, STARTED_KEY, b"0", partition=number)
        transaction.commit()
    consumer = Consumer({"bootstrap.servers": lab.bootstrap, "group.id": lab.group})
    places = [TopicPartition(lab.inspections, number, 0) for number in (LARGE, NEIGHBOUR)]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()


class Flow:
    """Records for the neighbour at a steady rate, and how its position moved."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._produce), threading.Thread(target=self._see)]
        self._seen: list[tuple[float, int]] = []
        for thread in self._threads:
            thread.start()

    def end(self) -> dict[str, float]:
        """Stop; give the longest stand-still and the rate of the neighbour."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        # Before the first move the worker was starting.
        moves = list(self._moves())
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(moves)]
        rate = (moves[-1][1] - moves[0][1]) / max(moves[-1][0] - moves[0][0], 0.001)
        return {"longest_still_s": round(max(gaps, default=0.0), 3), "per_s": round(rate)}

    def _moves(self) -> Iterator[tuple[float, int]]:
        at = self._seen[0][1]
        for moment, position in self._seen:
            if position > at:
                at = position
                yield moment, position

    def _produce(self) -> None:
        producer = Producer({"bootstrap.servers": self._lab.bootstrap, "linger.ms": 5})
        sequence = 1
        while not self._stop.wait(0.01):
            for _ in range(PER_SECOND // 100):
                event = job.Inspection(f"N{sequence % 1000:05d}", sequence, 5, 10, "")
                value = self._lab.codec.encode(job.INSPECTIONS, event)
                producer.produce(self._lab.inspections, value, event.lot, NEIGHBOUR)
                sequence += 1
            producer.poll(0)
        producer.flush()

    def _see(self) -> None:
        while not self._stop.wait(0.02):
            position = self._lab.position(NEIGHBOUR)
            self._seen.append((time.monotonic(), position or 0))


def restored(lab: Lab, before: int, partitions: int) -> tuple[int, float]:
    """Wait for the log's word; records and seconds of the take-over."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        told = RESTORED.findall(lab.log.read_text(errors="replace")[before:])
        if sum(int(each[0]) for each in told) >= partitions:
            return sum(int(each[1]) for each in told), max(float(each[2]) for each in told)
        if time.monotonic() > deadline:
            raise TimeoutError(lab.tail())
        time.sleep(0.02)


def said(lab: Lab) -> int:
    return len(lab.log.read_text(errors="replace")) if lab.log.exists() else 0


def measured(lab: Lab) -> dict[str, Any]:
    """All take-overs in turn."""
    found: dict[str, Any] = {}
    first = lab.start("a", ENGINE_TEST_LOG="INFO")
    found["changelog_alone"] = restored(lab, 0, 2)
    lab.stop(first)
    shutil.rmtree(lab.folder / "data-a" / lab.group / f"lots-{LARGE}")
    flow, before = Flow(lab), said(lab)
    first = lab.start("a", ENGINE_TEST_LOG="INFO")
    found["changelog_others_flow"] = restored(lab, before, 2)
    found["neighbour"] = flow.end()
    first.kill()
    first.wait()
    before = said(lab)
    first, took = restarted(lab)
    found["restart_to_first_record_s"] = took
    found["own_disk"] = restored(lab, before, 2)
    lab.changes["standbys"] = 1
    second = lab.start("b", ENGINE_TEST_LOG="INFO")
    time.sleep(1.0)
    copied(lab)
    before = said(lab)
    first.kill()
    first.wait()
    found["standby"] = restored(lab, before, 1)
    lab.stop(second)
    return found


def restarted(lab: Lab) -> tuple[subprocess.Popen[bytes], float]:
    """Start a killed worker again, with input there; it, and seconds to its first record."""
    at = lab.consumed()
    lab.produce(inspections(1_000))
    began = time.monotonic()
    worker = lab.start("a", ENGINE_TEST_LOG="INFO")
    lab.wait(lambda: lab.consumed() > at, "the first record after a kill", pause=0.02)
    return worker, round(time.monotonic() - began, 2)


def copied(lab: Lab) -> None:
    """Wait until the second worker's copies grow no more."""
    folder, sizes = lab.folder / "data-b", [-1]
    while True:
        sizes.append(sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()))
        if len(sizes) > 3 and len(set(sizes[-3:])) == 1 and sizes[-1] > 0:
            return
        time.sleep(1.0)


def main() -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys of the large partition")
    keys = parser.parse_args().keys
    with (
        temporary_stack(REPOSITORY / ".lotgate" / "parts") as stack,
        tempfile.TemporaryDirectory(prefix="lotgate-restore-") as folder,
    ):
        stack.prepare(parts=("broker",))
        stack.up(("broker",))
        with borrowed(stack.addresses().bootstrap, Path(folder)) as lab:
            fill(lab, keys)
            found = measured(lab)
    sys.stdout.write(json.dumps({"keys": keys, **found}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
