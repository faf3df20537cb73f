"""Chunks that are read while the log is streamed, each merged where it belongs in the log.

A chunk is read between two changes of the log, in a transaction whose view of the others is known,
and its rows wait. Until the log has come to where the chunk ended, all that its view sees has been
streamed. A change that it does not see lets the waiting row of its key go out in front of itself:
of one key the seen changes come before the others, since a row is locked until its writer is over.
What still waits at the chunk's end goes out there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import Change, DeadRow
    from connectors.sources.postgres.snapshot.ranges import Key
    from connectors.sources.postgres.snapshot.rows import Made, RowMaker
    from connectors.sources.postgres.snapshot.session import View
    from connectors.sources.postgres.snapshot.state import Run, TableCursor

FRAME = 5
"""Bytes of a key's frame; the same key may come under two."""


@dataclass(slots=True)
class Window:
    """A chunk that was read.

    Attributes:
        run: The snapshot that it belongs to.
        maker: Makes that run's records.
        cursor: Its table.
        upto: The last key of its range; None at the table's end.
        view: What it sees.
        high: Where the log ended when it had been read.
        topic: Where its records go.
        dead: Its rows that cannot be carried, which go out at its end.
        waiting: Its rows by the key of their record.
        early: Rows of it that are out, by their ids.
    """

    run: Run
    maker: RowMaker
    cursor: TableCursor
    upto: Key | None
    view: View
    high: int
    topic: str
    dead: list[DeadRow]
    waiting: dict[bytes, list[Made]] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)


class Windows:
    """The chunks that wait, in the order in which they were read."""

    def __init__(self) -> None:
        self._windows: deque[Window] = deque()

    def __len__(self) -> int:
        return len(self._windows)

    def __iter__(self) -> Iterator[Window]:
        return iter(self._windows)

    def clear(self) -> None:
        """Forget what waits; it is read again."""
        self._windows.clear()

    def add(self, window: Window) -> None:
        """Let a chunk wait."""
        self._windows.append(window)

    def due(self, reached: int) -> Window | None:
        """Take the next chunk whose end the log has reached.

        Args:
            reached: Up to here everything committed has been streamed.
        """
        if self._windows and reached >= self._windows[0].high:
            return self._windows.popleft()
        return None

    def overtaken(self, change: Change) -> Iterator[tuple[Window, list[Made]]]:
        """Take the rows that must go out in front of a change.

        Args:
            change: A transaction of the log, or a part of one.
        """
        if not change.xid:
            return
        for window in self._windows:
            if window.waiting and not window.view.sees(change.xid):
                rows = _taken(window, change)
                if rows:
                    window.early.update(made.id for made in rows)
                    yield window, rows


def _taken(window: Window, change: Change) -> list[Made]:
    waiting, topic = window.waiting, window.topic
    rows: list[Made] = []
    for record in change.records:
        if record.topic != topic:
            continue
        if record.key is None:
            # The table is emptied: what it held is gone with the next record.
            waiting.clear()
            break
        found = waiting.pop(record.key[FRAME:], None)
        if found is not None:
            rows.extend(found)
    return rows


def parts(rows: list[Made], limit: int) -> Iterator[list[Made]]:
    """Rows in parts that fit into one transaction record each."""
    part: list[Made] = []
    filled = 0
    for made in rows:
        if part and filled + len(made.change) > limit:
            yield part
            part, filled = [], 0
        part.append(made)
        filled += len(made.change)
    if part:
        yield part
