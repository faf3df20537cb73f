"""The process of the storm: the real engine with the storm's rules and an encoding of its own."""

from __future__ import annotations

import logging
import mmap
import os
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from streams.contracts.codec import Form
from streams.contracts.topics import Topic
from streams.engine import EngineSettings, Lotgate, Store, run_worker
from streams.errors import Poison
from streams.runtime.clock import now_us
from streams.runtime.connection import KafkaConnection
from tests.storm.rules import Lot, Reading, Result, decide, due


def nothing(name: str) -> dict[str, Any]:
    """A schema for those who ask; the storm's encoding needs none."""
    return {"type": "record", "name": name, "namespace": "storm", "fields": []}


READINGS = Topic("{group}-readings", Reading, nothing("Reading"), lambda event: event.lot)
RESULTS = Topic("{group}-results", Result, nothing("Result"), lambda event: event.lot)
LOTS = Store("lots", Lot, nothing("Lot"), cache=40)
"""The cache is smaller than the number of lots, so that states are also read back from disk."""


class Plain:
    """JSON."""

    def prepare(self, topics: Iterable[Topic[Any]]) -> None:
        """Nothing is needed."""

    def form(self, topic: Topic[Any]) -> Form:
        return Form(topic.event.__name__, 1, "json")

    def encode(self, topic: Topic[Any], event: Any) -> bytes:  # noqa: ARG002
        return orjson.dumps(event)

    def encoder(self, topic: Topic[Any]) -> Callable[[Any], bytes]:
        return partial(self.encode, topic)

    def readers(self, topic: Topic[Any]) -> Mapping[bytes, Callable[[bytes], Any]]:  # noqa: ARG002
        return {}

    def decode(self, topic: Topic[Any], payload: bytes) -> Any:
        try:
            fields = orjson.loads(payload)
            if topic.event is Lot:
                fields["above"] = tuple(fields["above"])
            return topic.event(**fields)
        except (ValueError, TypeError, KeyError) as failure:
            raise Poison(f"no {topic.event.__name__}: {failure}", code="bad_json") from failure


def stepped(path: Path) -> Callable[[], int]:
    """The clock, off by the microseconds that the storm writes into a shared file."""
    with path.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)
    return lambda: now_us() + int(struct.unpack_from("<q", shared)[0])


def settings() -> EngineSettings:
    """Settings from the file that the storm names."""
    given = orjson.loads(Path(os.environ["STORM_SETTINGS"]).read_bytes())
    return EngineSettings(
        connection=KafkaConnection(given["bootstrap"], group=given["group"]),
        codec=Plain,
        data_dir=Path(given["data"]),
        instance_id=given["instance"],
        build="storm",
        session_timeout_ms=given["session_timeout_ms"],
        group_protocol=given["group_protocol"],
        standbys=given["standbys"],
        transaction_timeout_ms=given["transaction_timeout_ms"],
        cycle_records=given["cycle_records"],
        # No process above: what is killed and stands still is the worker itself.
        watchdog_s=0,
        clock=stepped(Path(given["clock"])),
        fault=os.environ["LOTGATE_FAULT"],
    )


app = Lotgate("storm")
app.configure_from(settings)
app.stage(READINGS, store=LOTS, emits=(RESULTS,), name="lots", due=due)(decide)

if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s {os.getpid()} %(levelname)s %(name)s %(message)s"
    )
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.exit(run_worker(app))
