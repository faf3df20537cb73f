"""The fuse of one partition: too many failures are the build's fault, not the records'."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import orjson

from streams.errors import LotgateError

if TYPE_CHECKING:
    from streams.engine.settings import FuseLimits

FUSE_KEY: Final = b"\0\1fuse"


class FuseTripped(LotgateError):
    """Too many records of a partition failed; the worker stops until a person or a build acts."""

    code = "fuse_tripped"


class Fuse:
    """Counts failures over the last records, and in a row.

    The counters live in the partition's store: a restart does not give a bad release another run.
    """

    def __init__(self, limits: FuseLimits, build: str, stored: bytes | None) -> None:
        """Take up stored counters.

        Args:
            limits: When to trip.
            build: The running build; counters of another build are history.
            stored: What `dump` gave, None for none.
        """
        self._limits = limits
        self._build = build
        self.tripped = ""
        self._seen = 0
        self._run = 0
        self._failures: deque[int] = deque()
        if stored is not None:
            self.restore(stored)

    @property
    def is_clean(self) -> bool:
        """Whether nothing failed lately, so that nothing needs to be stored."""
        return not self._failures and not self.tripped

    def passed(self, count: int) -> None:
        """Count records that went well."""
        if count:
            self._seen += count
            self._run = 0
            self._forget()

    def failed(self) -> None:
        """Count a record that became a dead letter; sets `tripped` to the reason if that is it."""
        self._seen += 1
        self._run += 1
        self._failures.append(self._seen)
        self._forget()
        limits = self._limits
        seen = min(self._seen, limits.window)
        if self._run >= limits.run:
            self.tripped = f"{self._run} records in a row failed"
        elif seen >= limits.least and len(self._failures) > limits.share * seen:
            self.tripped = f"{len(self._failures)} of the last {seen} records failed"

    def reset(self) -> None:
        """Begin anew, by a person's decision."""
        self.tripped = ""
        self._seen = 0
        self._run = 0
        self._failures.clear()

    def dump(self) -> bytes:
        """The counters as they are stored."""
        return orjson.dumps(
            {
                "build": self._build,
                "tripped": self.tripped,
                "seen": self._seen,
                "run": self._run,
                "failures": list(self._failures),
            }
        )

    def restore(self, stored: bytes) -> None:
        """Take up counters of `dump`; those of another build are left."""
        counters = orjson.loads(stored)
        if counters["build"] != self._build:
            return
        self.tripped = counters["tripped"]
        self._seen = counters["seen"]
        self._run = counters["run"]
        self._failures.clear()
        self._failures.extend(counters["failures"])

    def _forget(self) -> None:
        failures, oldest = self._failures, self._seen - self._limits.window
        while failures and failures[0] <= oldest:
            failures.popleft()
