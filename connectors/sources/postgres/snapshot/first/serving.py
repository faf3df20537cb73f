"""The program of a process that copies ranges of tables and encodes their rows."""

from __future__ import annotations

import gc
import marshal
import os
import pickle
import sys
from contextlib import closing
from itertools import cycle
from typing import IO, TYPE_CHECKING, Any

from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.tables import Tables
from connectors.sources.postgres.snapshot.bulk import BulkMaker
from connectors.sources.postgres.snapshot.first.wire import FORM, LENGTH, Setup, put, take
from connectors.sources.postgres.snapshot.rows import Piece, RowMaker
from connectors.sources.postgres.snapshot.session import Session
from connectors.sources.postgres.snapshot.state import Run
from streams.errors import LotgateError, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.base import TableShape
    from connectors.sources.postgres.shape.tables import Table


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


def serve(source: IO[bytes], sink: IO[bytes], places: Sequence[int]) -> None:
    """Read a setup, then copy and encode ranges until the input ends.

    Args:
        source: Where orders come from.
        sink: Where the answers' lengths go.
        places: Shared memory for the answers, taken in turn.
    """
    # Rows refer to nothing that refers to them: looking for such circles only takes time.
    gc.disable()
    setup: Setup = pickle.loads(take(source) or b"")  # noqa: S301 - our own parent wrote it
    settings = setup.settings
    label, point, started_ms = setup.run
    run = Run(label, point, "initial", started_ms)
    origin = Origin(*setup.origin, {})
    maker = BulkMaker(RowMaker(settings, origin, run, setup.now_us))
    frames, session = _Frames(), None
    tables: list[Table] = []
    turns = cycle(places)
    while (order := take(source)) is not None:
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
            ends = rows[:1] if len(rows) == 1 else rows[:1] + rows[-1:]
            told = maker.rows(tables[number], rows[1:-1], first + 1, piece)
        except LotgateError as error:
            kind = "transient" if isinstance(error, Transient) else "misconfigured"
            answer: Any = (kind, error.message, error.code, error.kept, error.advice)
        else:
            answer = ("rows", told, ends, piece.odd)
        octets = marshal.dumps(answer, FORM)
        _write(next(turns), octets)
        put(sink, LENGTH.pack(len(octets)))


def _write(place: int, octets: bytes) -> None:
    written = 0
    while written < len(octets):
        written += os.pwrite(place, memoryview(octets)[written:], written)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, [int(number) for number in sys.argv[1:]])
