"""A process that copies ranges of tables and encodes their rows; also the program that it runs.

One interpreter encodes on one core. While this process encodes, its parent produces, so that two
cores share the work. What passes between them is plain bytes: the parent's orders, one per range,
and for each the encoded rows. It ends when its parent does, by the end of its input.
"""

from __future__ import annotations

import gc
import marshal
import pickle
import struct
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.tables import Tables
from connectors.sources.postgres.snapshot.bulk import BulkMaker
from connectors.sources.postgres.snapshot.rows import Piece, RowMaker
from connectors.sources.postgres.snapshot.session import Session
from connectors.sources.postgres.snapshot.state import Run
from streams.errors import LotgateError, Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.base import TableShape
    from connectors.sources.postgres.log.pgoutput import Relation
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table

_FORM = 2
"""The form of `marshal` that looks for no repeated values, which takes longer than sending them."""
_length = struct.Struct(">I")
Row = tuple[bytes, bytes, bytes, bytes]
"""A row's key, value, event id and event UUID."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the process needs to know; goes through its input, for it holds a password.

    Attributes:
        settings: The source's settings.
        exported: The snapshot to look through.
        origin: The server's identity and the database.
        run: The snapshot's label, position, and when it began.
        now_us: When the parent began to read, microseconds since 1970.
        tables: Shapes, and the frames of keys and values.
    """

    settings: PostgresSettings
    exported: str
    origin: tuple[str, str]
    run: tuple[str, int, int]
    now_us: int
    tables: Sequence[tuple[Relation, tuple[bytes, bytes]]]


class Encoded(NamedTuple):
    """A range's rows.

    Attributes:
        rows: Those that are encoded, the first and the last one left out.
        ends: The first and the last one as they were copied; one or two, none if there is none.
        odd: Number in the range, and the row as it was copied, of those that go over their text.
    """

    rows: list[Row]
    ends: list[bytes]
    odd: list[tuple[int, bytes]]


class CopyProcess:
    """The parent's end.

    Args:
        setup: What the process needs to know.
    """

    def __init__(self, setup: Setup) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        _put(self._process.stdin, pickle.dumps(setup))

    def copied(self, table: int, query: str, number: int) -> Encoded:
        """Let it copy and encode a range.

        Args:
            table: Place of the table in the setup.
            query: What to select.
            number: The first row's number in the run.

        Raises:
            Misconfigured: The server refuses it.
            Transient: The connection broke, or the process ended.
        """
        _put(self._process.stdin, marshal.dumps((table, query, number), _FORM))
        answer = _take(self._process.stdout)
        if answer is None:
            raise Transient("a process that read a snapshot ended", code="snapshot_process")
        kind, *parts = marshal.loads(answer)  # noqa: S302 - our own process wrote it
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
        self._process.communicate()


class _Frames:
    """Topics that the parent has made ready."""

    def __init__(self) -> None:
        self.frames = (b"", b"")

    def announce(self, topics: Sequence[str]) -> None:
        """They are ready."""

    def bind(
        self,
        topic: str,
        key: dict[str, Any] | None,
        value: dict[str, Any],
        shape: TableShape | None = None,
    ) -> tuple[bytes, bytes]:
        """The frames that the parent was given."""
        del topic, key, value, shape
        return self.frames

    def told(self, topic: str) -> Any:
        """Nobody asks here."""
        raise NotImplementedError(topic)


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Read a setup, then copy and encode ranges until the input ends.

    Args:
        source: Where orders come from.
        sink: Where answers go.
    """
    # Rows refer to nothing that refers to them: looking for such circles only takes time.
    gc.disable()
    setup: Setup = pickle.loads(_take(source) or b"")  # noqa: S301 - our own parent wrote it
    settings = setup.settings
    label, point, started_ms = setup.run
    run = Run(label, point, "initial", started_ms)
    origin = Origin(*setup.origin, {})
    maker = BulkMaker(RowMaker(settings, origin, run, setup.now_us))
    frames, session = _Frames(), None
    tables: list[Table] = []
    while (order := _take(source)) is not None:
        number, query, first = marshal.loads(order)  # noqa: S302 - our own parent wrote it
        try:
            if session is None:
                session = Session(settings.dsn)
                session.begin(setup.exported)
                with closing(Catalog(settings.dsn)) as catalog:
                    learnt = Tables(settings, catalog, frames)
                    for relation, frames.frames in setup.tables:
                        tables.append(learnt.learn(relation))
            rows = session.copied(query, binary=True)
            piece = Piece(odd=[])
            ends = [rows[0], rows[-1]][: len(rows)]
            maker.fast(tables[number], rows[1:-1], first + 1, piece)
        except LotgateError as error:
            kind = "transient" if isinstance(error, Transient) else "misconfigured"
            answer: Any = (kind, error.message, error.code, error.kept, error.advice)
        else:
            told = [
                (record.key, record.value, record.headers[0][1], record.headers[1][1])
                for record in piece.records
            ]
            answer = ("rows", told, ends, piece.odd)
        _put(sink, marshal.dumps(answer, _FORM))


def _put(stream: IO[bytes] | None, message: bytes) -> None:
    if stream is None:
        return
    try:
        stream.write(_length.pack(len(message)))
        stream.write(message)
        stream.flush()
    except (BrokenPipeError, ValueError):
        return  # the other one is gone, which the next reading tells


def _take(stream: IO[bytes] | None) -> bytes | None:
    head = b"" if stream is None else stream.read(_length.size)
    if stream is None or len(head) < _length.size:
        return None
    (length,) = _length.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
