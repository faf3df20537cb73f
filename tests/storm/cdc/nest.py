"""Where the source's processes come from: a process with all modules loaded, which forks them.

It reads a fault setting per line, starts a source with it, tells its number, waits for its end and
tells that: `{"pid": …}`, then `{"code": …}`. A source stays what it is in production, `run_source`
in a process of its own; only the time to load the modules is saved.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from connectors.runner.source import run_source
from connectors.runner.source_config import BatchLimits, SourceConfig
from connectors.sources.postgres.form import RecordForm
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.registry import ConfluentRegistry
from streams.engine import arm
from streams.engine.faults import DEATH
from streams.runtime.connection import KafkaConnection
from tests.storm.trace import Trace

ROOT = Path(__file__).parents[3]
STOP_S = 60.0
UNFORESEEN = 70
"""Exit status of a source that ended by itself."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a source of the storm reads and where it writes."""

    dsn: str
    bootstrap: str
    registry: str
    name: str

    def config(self) -> SourceConfig:
        return SourceConfig(
            source="erp",
            translator="tryton",
            site="P1",
            dsn=self.dsn,
            slot=self.name,
            publication="lotgate",
            partition=0,
            version="0.1.0",
            raw_partitions=3,
            # Small enough that transactions are split, stored in the middle, and gone on with.
            chunk_bytes=24 * 1024,
            limits=BatchLimits(rows=700, seconds=0.2, snapshot_rows=1_500),
            idle_store_s=0.4,
            check_s=1.0,
            transaction_timeout_ms=20_000,
            form=RecordForm(transaction_metadata=True),
        )

    @property
    def connection(self) -> KafkaConnection:
        return KafkaConnection(self.bootstrap, prefix=self.name)


@dataclass
class Life:
    """One process of the source."""

    pid: int
    trace: Trace
    ended: threading.Event
    code: int = 0

    def kill(self) -> bool:
        """SIGKILL; False if it had ended before."""
        if self.ended.is_set():
            return False
        os.kill(self.pid, signal.SIGKILL)
        if not self.ended.wait(STOP_S):
            raise TimeoutError(f"process {self.pid} does not end")
        return self.code == -signal.SIGKILL

    @property
    def died_at_point(self) -> bool:
        return self.ended.is_set() and self.code == DEATH


class Nest:
    """The watching end."""

    def __init__(self, order: Order, folder: Path) -> None:
        self._folder = folder
        self._lives: list[Life] = []
        self._answers: Queue[dict[str, Any]] = Queue()
        with (folder / "sources.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.storm.cdc.nest", json.dumps(_plain(order))],
                cwd=ROOT,
                env={k: v for k, v in os.environ.items() if not k.startswith("LOTGATE_")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def lives(self) -> list[Life]:
        return self._lives

    def hatch(self, fault: str = "") -> Life:
        """Start a source; the one before must have ended."""
        file = self._folder / f"trace-{len(self._lives)}"
        trace = Trace(file)
        line = ",".join(filter(None, (f"trace={file}", fault)))
        pipe = self._process.stdin
        assert pipe is not None
        pipe.write(f"{line}\n".encode())
        pipe.flush()
        pid = self._answers.get(timeout=STOP_S)["pid"]
        life = Life(pid, trace, threading.Event())
        self._lives.append(life)
        threading.Thread(target=self._await_end, args=(life,), daemon=True).start()
        return life

    def last_words(self) -> str:
        """The end of what the sources logged."""
        return (self._folder / "sources.log").read_text(encoding="utf-8")[-2_000:]

    def close(self) -> None:
        """End the source in order, then the nest."""
        life = self._lives[-1] if self._lives else None
        if life is not None and not life.ended.is_set():
            os.kill(life.pid, signal.SIGTERM)
            if not life.ended.wait(STOP_S):
                life.kill()
        pipe = self._process.stdin
        assert pipe is not None
        pipe.close()
        self._process.wait(STOP_S)
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _await_end(self, life: Life) -> None:
        life.code = self._answers.get()["code"]
        life.ended.set()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(json.loads(line))


def _plain(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__dataclass_fields__}


def _source(order: Order, fault: str) -> int:
    """Be a source until told to stop."""
    logging.basicConfig(format=f"%(asctime)s {os.getpid()} %(levelname)s %(name)s %(message)s")
    arm(fault)

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        codec = Codec(Catalog.load(), ConfluentRegistry(order.registry), prefix=order.name)
        await run_source(order.config(), order.connection, codec)

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        return 0
    except BaseException:
        logging.getLogger(__name__).exception("the source ended by itself")
        return UNFORESEEN
    return 0


def main() -> None:
    order = Order(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = _source(order, line.strip())
            sys.stderr.flush()
            os._exit(code)
        sys.stdout.write(json.dumps({"pid": child}) + "\n")
        sys.stdout.flush()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"code": code}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
