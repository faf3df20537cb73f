"""How much may be written by now."""

from __future__ import annotations

import threading


class Quota:
    """How many rows may have been written by now; keeps the writers and the kills in step."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._allowed = 0
        self._rows = 0
        self._copied = 0
        self._ended = False

    @property
    def rows(self) -> int:
        """Rows of committed transactions, about."""
        return self._rows

    @property
    def ended(self) -> bool:
        return self._ended

    def allow(self, rows: int) -> None:
        with self._lock:
            self._allowed = max(self._allowed, rows)
            self._lock.notify_all()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._lock.notify_all()

    def wait(self) -> bool:
        """Wait until something may be written; False when it is over."""
        with self._lock:
            while not self._ended and self._rows >= self._allowed:
                self._lock.wait(0.5)
            return not self._ended

    def wrote(self, rows: int, *, copied: bool = False) -> None:
        with self._lock:
            self._rows += rows
            self._copied += rows if copied else 0

    def owes_copies(self) -> bool:
        """Fewer than a third of the rows were written by COPY."""
        with self._lock:
            return self._copied * 3 < self._rows
