"""The input: seeded, with repeated, swapped and broken records; and what went where."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

import orjson
from confluent_kafka import Producer

from tests.storm.rules import Reading

LOTS = 80
HORIZON = 12
"""A record is repeated or late by so many records at most."""
TIMERS = ("a", "b", "again")
LONGEST_TIMER_US = 5_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of the input as the broker took it; an offset of -1 was not told."""

    partition: int
    offset: int
    value: bytes
    reading: Reading | None
    """None for bytes that are no reading."""


class Inputs:
    """Draws the next record."""

    def __init__(self, seed: int, now_us: Callable[[], int]) -> None:
        self._random = Random(seed)
        self._now_us = now_us
        self._seq = dict.fromkeys((f"L{number:03d}" for number in range(LOTS)), 0)
        self._recent: deque[Reading] = deque(maxlen=HORIZON)
        self._late: list[tuple[int, Reading]] = []
        self._count = 0

    def next(self) -> tuple[str, bytes, Reading | None]:
        """Key, value, and what the value says."""
        self._count += 1
        if self._late and self._late[0][0] <= self._count:
            return self._said(self._late.pop(0)[1])
        draw = self._random.random()
        if draw < 0.05 and self._recent:
            return self._said(self._random.choice(self._recent))
        if draw < 0.055:
            return self._random.choice(list(self._seq)), b'{"lot": broken', None
        reading = self.reading(self._random.choice(list(self._seq)))
        if draw < 0.15:
            self._late.append((self._count + self._random.randint(1, HORIZON), reading))
            self._late.sort(key=lambda pair: pair[0])
            return self.next()
        return self._said(reading)

    def reading(self, lot: str, act: str = "", due_us: int = 0) -> Reading:
        """A new reading of a lot."""
        rng = self._random
        self._seq[lot] += 1
        made = Reading(lot, self._seq[lot], rng.randint(1, 99), act, "", 0)
        if act:
            return replace(made, timer="a", due_us=due_us)
        draw = rng.random()
        if draw < 0.2:
            # A few are due before they are set.
            later = rng.randint(-200_000, LONGEST_TIMER_US)
            name = rng.choice(TIMERS)
            return replace(made, act="set", timer=name, due_us=self._now_us() + later)
        if draw < 0.27:
            return replace(made, act="cancel", timer=rng.choice(TIMERS))
        if draw < 0.28:
            return replace(made, act="end")
        if draw < 0.285:
            self._seq[lot] -= 1
            return replace(made, seq=0, act="boom")
        return made

    def _said(self, reading: Reading) -> tuple[str, bytes, Reading]:
        self._recent.append(reading)
        return reading.lot, orjson.dumps(asdict(reading)), reading


class Feeder(threading.Thread):
    """Produces at a steady rate until it is ended; can be paused for a while."""

    def __init__(self, bootstrap: str, topic: str, inputs: Inputs, rate: float) -> None:
        super().__init__(daemon=True)
        self._topic = topic
        self._inputs = inputs
        self._rate = rate
        self._end = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self.sent: list[Sent] = []
        self.failed: list[str] = []
        self.latest_due_us = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                # The truth is what was delivered, so a broker that is away is waited for.
                "message.timeout.ms": 600_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
                "error_cb": lambda _error: None,
            }
        )

    def run(self) -> None:
        began = time.monotonic()
        count = 0
        while not self._end.is_set():
            if not self._flowing.wait(0.1):
                began, count = time.monotonic(), 0
                self._producer.poll(0)
                continue
            with self._lock:
                self._send(*self._inputs.next())
            count += 1
            self._producer.poll(0)
            ahead = began + count / self._rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)

    def pause(self) -> None:
        """Stop, and wait until the broker has all."""
        self._flowing.clear()
        self.flush()

    def resume(self) -> None:
        self._flowing.set()

    def flush(self, seconds: float = 60) -> None:
        with self._lock:
            if self._producer.flush(seconds):
                raise TimeoutError("the input cannot be produced")

    def set_timers(self, due_us: int, lots: int) -> None:
        """Set the timer `a` of some lots of each partition."""
        homes = {sent.reading.lot: sent.partition for sent in self.sent if sent.reading}
        wanted: dict[int, list[str]] = {}
        for lot, home in homes.items():
            if len(wanted.setdefault(home, [])) < lots:
                wanted[home].append(lot)
        with self._lock:
            for lot in (lot for found in wanted.values() for lot in found):
                self._send(*self._inputs._said(self._inputs.reading(lot, "set", due_us)))
        self.flush()

    def end(self) -> None:
        self._end.set()
        self.join()
        self.flush()

    def _send(self, key: str, value: bytes, reading: Reading | None) -> None:
        if reading is not None:
            self.latest_due_us = max(self.latest_due_us, reading.due_us)
        self._producer.produce(self._topic, value, key, on_delivery=self._noted(value, reading))

    def _noted(self, value: bytes, reading: Reading | None) -> Callable[[Any, Any], None]:
        def note(error: Any, message: Any) -> None:
            if error is None:
                offset = message.offset()
                told = -1 if offset is None else offset
                self.sent.append(Sent(message.partition(), told, value, reading))
            else:
                self.failed.append(str(error))

        return note

    def by_partition(self) -> dict[int, list[Sent]]:
        """The input in the order in which each partition holds it.

        A record that the broker recognised as sent before has no offset in its report: it follows
        the one before, since one idempotent producer leaves no gaps.
        """
        found: dict[int, list[Sent]] = {}
        for sent in self.sent:
            row = found.setdefault(sent.partition, [])
            follows = row[-1].offset + 1 if row else 0
            row.append(sent if sent.offset >= 0 else replace(sent, offset=follows))
        return {number: sorted(row, key=lambda each: each.offset) for number, row in found.items()}
