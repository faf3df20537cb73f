"""A process that copies ranges of tables and encodes their rows.

One interpreter encodes on one core. While this process encodes, its parent produces, so that two
cores share the work. What passes between them is plain bytes: the parent's orders, one per range,
and for each the encoded rows, in shared memory: through a pipe the parent's interpreter would have
to wake for every 64 KiB, and this process would wait for it. It ends when its parent does, by the
end of its input.
"""

from __future__ import annotations

import marshal
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from connectors.sources.postgres.snapshot.first.wire import (
    FORM,
    LENGTH,
    ORDERS,
    Encoded,
    put,
    take,
)
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from connectors.sources.postgres.snapshot.first.wire import Setup

PROGRAM = "connectors.sources.postgres.snapshot.first.serving"


class CopyProcess:
    """The parent's end.

    Args:
        setup: What the process needs to know.
    """

    def __init__(self, setup: Setup) -> None:
        self._places = [os.memfd_create("lotgate-rows") for _ in range(ORDERS)]
        numbers = [str(place) for place in self._places]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", PROGRAM, *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._places,
        )
        put(self._process.stdin, pickle.dumps(setup))
        self._waiting: deque[Future[Any]] = deque()
        self._is_gone = False
        self._lock = threading.Lock()
        self._reading = threading.Thread(target=self._read, name="snapshot-answers", daemon=True)
        self._reading.start()

    def copied(self, table: int, query: str, number: int) -> Encoded:
        """Let it copy and encode a range; at most `ORDERS` may wait at once.

        Args:
            table: Place of the table in the setup.
            query: What to select.
            number: The first row's number in the run.

        Raises:
            Misconfigured: The server refuses it.
            Transient: The connection broke, or the process ended.
        """
        answer: Future[Any] = Future()
        with self._lock:
            self._waiting.append(answer)
            put(self._process.stdin, marshal.dumps((table, query, number), FORM))
            if self._is_gone:
                self._lose()
        kind, *parts = answer.result()
        if kind == "rows":
            return Encoded(*parts)
        message, code, kept, advice = parts
        failure = Transient if kind == "transient" else Misconfigured
        raise failure(message, code=code, kept=kept, advice=advice)

    def end(self) -> None:
        """End it, whatever it is doing; whoever waits for an answer gets none."""
        self._process.kill()

    def close(self) -> None:
        """Let go of it once nobody waits for an answer."""
        self._reading.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
        for place in self._places:
            os.close(place)

    def _read(self) -> None:
        """Take the answers, which come in the orders' order, until the process ends."""
        taken = 0
        while (told := take(self._process.stdout)) is not None:
            (length,) = LENGTH.unpack(told)
            answer = os.pread(self._places[taken % ORDERS], length, 0)
            taken += 1
            found = marshal.loads(answer)  # noqa: S302 - our own process wrote it
            with self._lock:
                self._waiting.popleft().set_result(found)
        with self._lock:
            self._is_gone = True
            self._lose()

    def _lose(self) -> None:
        while self._waiting:
            gone = Transient("a process that read a snapshot ended", code="snapshot_process")
            self._waiting.popleft().set_exception(gone)
