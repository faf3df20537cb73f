"""Snapshots woven into the stream: orders, chunks, and the positions that remember both."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from connectors.base import Change, Position
from connectors.sources.postgres.log.streaming import WAIT_S
from connectors.sources.postgres.snapshot.orders import IN_LOG, order_of
from connectors.sources.postgres.snapshot.progress import ProgressClock
from connectors.sources.postgres.snapshot.rows import Piece
from connectors.sources.postgres.snapshot.state import Run, TableCursor
from connectors.sources.postgres.snapshot.woven.windows import Windows, parts
from streams.errors import Poison
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from connectors.base import DeadRow, Signal
    from connectors.sources.postgres.log.pgoutput import Message
    from connectors.sources.postgres.log.streaming import Streaming
    from connectors.sources.postgres.snapshot.orders import Order
    from connectors.sources.postgres.snapshot.progress import SnapshotProgress
    from connectors.sources.postgres.snapshot.rows import Made
    from connectors.sources.postgres.snapshot.state import SnapshotState
    from connectors.sources.postgres.snapshot.woven.chunks import ChunkReader
    from connectors.sources.postgres.snapshot.woven.windows import Window

_OURS = ("snapshot", "signals")
LOOK_S = 0.2
"""Under load: least time between two looks at what there is to read."""
BUSY_S = 0.01
_log = logging.getLogger(__name__)


class Weaver:
    """Takes the stream's changes and gives them on, with the rows of snapshots where they belong.

    Args:
        source: Source id, for the log.
        state: What is left to read, from the stored position.
        chunks: Reads chunks.
        fields: The stored position.
        signals: Gives orders that came since the last call; nothing is forgotten before it is
            stored.
    """

    windows: type[Windows] = Windows

    def __init__(
        self,
        source: str,
        state: SnapshotState,
        chunks: ChunkReader,
        fields: Mapping[str, Any],
        signals: Callable[[], Iterable[Signal]],
    ) -> None:
        self._source = source
        self.state = state
        self._chunks = chunks
        self._fields = {name: fields[name] for name in fields if name not in _OURS}
        self._read_upto = fields.get("signals")
        self._signals = signals
        self._windows = self.windows()
        self._clock: ProgressClock | None = None
        self._changed = False
        self._looked = 0.0

    @property
    def progress(self) -> SnapshotProgress | None:
        """How far the current snapshot is; None if none is left."""
        current = self.state.current
        if current is None:
            return None
        if self._clock is None or self._clock.run is not current[0]:
            self._clock = ProgressClock(self._source, current[0])
        return self._clock.look(paused=self.state.paused)

    def woven(self, stream: Streaming, changes: Iterator[Change | None]) -> Iterator[Change | None]:
        """Give the stream's changes on, with snapshots' rows among them.

        Args:
            stream: The stream; made to wait less while there is something to read.
            changes: What it gives.
        """
        stream.takes = self.takes
        for change in changes:
            if change is not None:
                yield from self._change(change)
            if change is None or time.monotonic() - self._looked > LOOK_S:
                # Under load the stream alone would never let a chunk be read.
                yield from self._work(stream.reached if change is None else 0)
                stream.wait_s = BUSY_S if self._works else WAIT_S
            if change is None:
                if self._windows:
                    stream.ask()
                yield None

    @property
    def _works(self) -> bool:
        return bool(self._windows) or (not self.state.paused and self.state.current is not None)

    def _change(self, change: Change) -> Iterator[Change]:
        """Give a change of the stream, with what must go out around it."""
        for window, rows in self._windows.overtaken(change):
            self.state.early.update(made.id for made in rows)
            yield self._out(window, rows, ())
        self._fields = dict(change.position.fields)
        change.position = self._position()
        yield change
        if "middle" not in self._fields:
            yield from self._flushed(int(self._fields["lsn"]))

    def _work(self, reached: int) -> Iterator[Change]:
        """Look for orders, put out what waited long enough, and read on.

        Args:
            reached: Up to here everything committed has been streamed; 0 if that is not known.
        """
        yield from self._orders()
        yield from self._flushed(reached)
        self._read()
        self._looked = time.monotonic()

    def takes(self, message: Message) -> bool:
        """Take an order that comes through the log itself; once, however often it is read."""
        if message.prefix != IN_LOG:
            return False
        if message.lsn > self.state.message:
            self.state.message = message.lsn
            self._obey(message.content, f"{message.lsn:X}.log")
        return True

    def _position(self) -> Position:
        fields = dict(self._fields)
        if not self.state.empty:
            fields["snapshot"] = self.state.fields()
        if self._read_upto is not None:
            fields["signals"] = self._read_upto
        self._changed = False
        return Position(fields)

    def _orders(self) -> Iterator[Change]:
        for signal in self._signals():
            self._read_upto = signal.offset + 1
            self._changed = True
            self._obey(signal.text, f"{int(self._fields['lsn']):X}.{signal.offset}")
        if self._changed:
            yield Change(self._position())

    def _obey(self, text: bytes, label: str) -> None:
        self._changed = True
        try:
            order = order_of(text)
        except Poison as error:
            _log.error("source %s: %s", self._source, error)
            return
        _log.info("source %s: order %s %s", self._source, order.kind, ", ".join(order.tables))
        if order.kind == "execute":
            self.state.runs.append(self._run(order, label))
        elif order.kind == "stop":
            self._give_up(order)
        else:
            self.state.paused = order.kind == "pause"

    def _run(self, order: Order, label: str) -> Run:
        tables = [TableCursor(name, order.condition(name)) for name in dict.fromkeys(order.tables)]
        return Run(label, int(self._fields["lsn"]), "incremental", clock.now_ms(), tables)

    def _give_up(self, order: Order) -> None:
        """Forget ordered tables and what waits of them; the initial snapshot is never given up."""
        self._windows.clear()
        for run in self.state.runs:
            if run.mode == "incremental":
                run.tables = [
                    cursor
                    for cursor in run.tables
                    if order.tables and cursor.name not in order.tables
                ]
        self.state.paused = False

    def _flushed(self, reached: int) -> Iterator[Change]:
        while (window := self._windows.due(reached)) is not None:
            rows = [made for waiting in window.waiting.values() for made in waiting]
            *most, last = list(parts(rows, self._chunks.limit)) or [[]]
            for part in most:
                window.early.update(made.id for made in part)
                self.state.early.update(made.id for made in part)
                yield self._out(window, part, ())
            self.state.early -= window.early
            cursor, run = window.cursor, window.run
            cursor.after = window.upto
            if window.upto is None and cursor in run.tables:
                run.tables.remove(cursor)
            yield self._out(window, last, window.dead)
        yield from self._finished()

    def _finished(self) -> Iterator[Change]:
        """Let go of runs that have nothing left."""
        waiting = {id(window.run) for window in self._windows}
        for run in [each for each in self.state.runs if not each.tables]:
            if id(run) in waiting:
                continue
            self.state.runs.remove(run)
            # A table that was left out may have had rows that went out early.
            own = f"{run.label}:"
            self.state.early = {each for each in self.state.early if not each.startswith(own)}
            ProgressClock(self._source, run).finished()
            # Whoever collects a snapshot's parts waits for the last one, also of one given up.
            run.chunk += 1
            maker, fields = self._chunks.maker(run), self._position().fields
            yield maker.change(Piece(), fields, last=True, snapshot=False)

    def _out(self, window: Window, rows: list[Made], dead: Iterable[DeadRow]) -> Change:
        run = window.run
        piece = Piece(dead=[*dead])
        for made in rows:
            piece.add(made)
        count = len(rows) + len(piece.dead)
        run.rows += count
        window.cursor.rows += count
        run.chunk += 1
        return window.maker.change(piece, self._position().fields, last=False, snapshot=False)

    def _read(self) -> None:
        if self.state.paused:
            return
        window = self._chunks.read(self.state, self._windows)
        if window is not None:
            self._windows.add(window)
        progress = self.progress
        if progress is not None and self._clock is not None:
            self._clock.tell()
