"""Records and timers that kill the process: found by what it was working on when it died.

A record that makes native code crash, or eats all memory, leaves no exception and no transaction:
the next process reads it again and dies again. So the engine notes beside the stores which records
a rule is about to see, or up to when timers are due. The note is written without waiting for the
disk: it outlives the process, which is all it must. A process that finds a note of its predecessor
looks at those records and timers one by one, each with a note of its own; that of the third death
is a dead letter like any other.

A death from outside (kill -9, a node that is lost) looks the same as a crash, and out of memory is
one from outside. It counts only while a rule is at work; and of the three deaths the last two must
have come while this one record or timer was at work alone. Who is killed at random meets that
seldom, and then what is set aside is neither lost nor changed: it waits for a person's replay.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

DEATHS: Final = 3
"""Deaths at one record after which it is not tried again. One may be chance, two a coincidence."""
NOTE_BYTES: Final = 512
"""Size of a note, padded: a topic's name has at most 249 characters."""
NO_NOTE: Final = b"".ljust(NOTE_BYTES)
DUE_TIMERS: Final = "*"
"""In the place of a timer's name: any timer that was due."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Records or timers of one partition of which one may have killed the process.

    Attributes:
        topic: Full name of the input topic.
        partition: Partition number.
        first: Offset of the first of them; of timers the earliest due time.
        last: Offset of the last of them; of timers the latest due time, microseconds since 1970.
        deaths: How often the process died while it worked on them.
        timer: Empty for records; `*` for timers, or what tells this one from all others.
    """

    topic: str
    partition: int
    first: int
    last: int
    deaths: int = 1
    timer: str = ""

    def covers(self, other: Suspicion) -> bool:
        """Whether the other one is about the same records or timers, or some of them."""
        return (
            (self.topic, self.partition) == (other.topic, other.partition)
            and (self.timer == other.timer or (self.timer == DUE_TIMERS and bool(other.timer)))
            and self.first <= other.first
            and other.last <= self.last
        )


class Suspects:
    """What is known of deaths at work in one data folder."""

    def __init__(self, folder: Path) -> None:
        """Take up what the last process was working on, if it died at that.

        Args:
            folder: The group's folder of stores; it is made if it is new.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "suspects.json"
        self._file = os.open(folder / "at-work", os.O_RDWR | os.O_CREAT, 0o644)
        kept = self._path.read_bytes() if self._path.exists() else b""
        self._known = [Suspicion(*each) for each in _read(kept)]
        died_at = [Suspicion(*each) for each in _read(os.pread(self._file, NOTE_BYTES, 0))]
        for suspicion in died_at:
            self._add(suspicion)
        if died_at:
            self._keep()
        self.end()

    def about(self, topic: str, partition: int) -> tuple[Suspicion, ...]:
        """What is suspected of a partition; nothing as a rule."""
        return tuple(s for s in self._known if (s.topic, s.partition) == (topic, partition))

    def begin(self, topic: str, partition: int, first: int, last: int) -> None:
        """Note that a rule is about to see these records."""
        self._begin(Suspicion(topic, partition, first, last))

    def begin_due(self, topic: str, partition: int, until_us: int) -> None:
        """Note that the timers of a partition that are due by then are about to fire."""
        self._begin(Suspicion(topic, partition, 0, until_us, timer=DUE_TIMERS))

    @contextmanager
    def firing(
        self, topic: str, partition: int, due_us: int, timer: bytes
    ) -> Iterator[Poison | None]:
        """Note, for the time of the block, that one timer fires.

        Args:
            topic: Full name of the input topic.
            partition: Partition number.
            due_us: When the timer is due, microseconds since 1970; `NEVER` for one that fires again
                because a person said so: it is forgotten by `replayed` only.
            timer: What tells it from all others of the partition.

        Yields:
            Why it is not to be tried again; None if it may be tried.
        """
        this = Suspicion(topic, partition, due_us, due_us, timer=_digest(timer))
        refusal = self._refusal(this, f"a timer of {topic}[{partition}]")
        if refusal is None:
            self._begin(this)
        try:
            yield refusal
        finally:
            self.end()

    def end(self) -> None:
        """Note that no rule is at work."""
        self._write(NO_NOTE)

    def refusal(self, topic: str, partition: int, offset: int) -> Poison | None:
        """Why a record is not tried again; None if it may be tried."""
        this = Suspicion(topic, partition, offset, offset)
        return self._refusal(this, f"{topic}[{partition}]@{offset}")

    def passed(self, topic: str, partition: int, position: int) -> None:
        """Forget the records that lie before a committed position."""
        self._forget(topic, partition, position, timers=False)

    def fired(self, topic: str, partition: int, next_us: int) -> None:
        """Forget the timers that are due before the next one that is pending."""
        self._forget(topic, partition, next_us, timers=True)

    def replayed(self, topic: str, partition: int, timer: bytes) -> None:
        """Forget a timer that was fired again, or buried again, because a person said so."""
        name = _digest(timer)
        gone = [s for s in self.about(topic, partition) if s.timer == name]
        if gone:
            self._known = [each for each in self._known if each not in gone]
            self._keep()

    def close(self) -> None:
        """Close the file of notes."""
        os.close(self._file)

    def _begin(self, suspicion: Suspicion) -> None:
        self._write(orjson.dumps([_fields(suspicion)]).ljust(NOTE_BYTES))

    def _refusal(self, this: Suspicion, where: str) -> Poison | None:
        for each in self._known:
            is_alone = each.first == each.last and each.timer != DUE_TIMERS
            if is_alone and each.deaths >= DEATHS and each.covers(this):
                return Poison(
                    f"the worker died {each.deaths} times while it worked on {where}, without an"
                    " error of its own",
                    code="crash_loop",
                    advice="look for a crash of native code, memory used up, or a rule that hangs;"
                    " replay it with a build that can take it",
                )
        return None

    def _forget(self, topic: str, partition: int, before: int, *, timers: bool) -> None:
        left = [
            each
            for each in self._known
            if (each.topic, each.partition) != (topic, partition)
            or bool(each.timer) != timers
            or each.last >= before
        ]
        if len(left) < len(self._known):
            self._known = left
            self._keep()

    def _add(self, died_at: Suspicion) -> None:
        """Narrow what was suspected already, or suspect anew."""
        for index, each in enumerate(self._known):
            if each.covers(died_at):
                deaths = each.deaths + 1
                self._known[index] = Suspicion(
                    each.topic, each.partition, died_at.first, died_at.last, deaths, died_at.timer
                )
                break
        else:
            self._known.append(died_at)
        log.warning(
            "the last process died while it worked on %s[%d], %s %d to %d: these are looked at one"
            " by one",
            died_at.topic, died_at.partition, "timers due" if died_at.timer else "offsets",
            died_at.first, died_at.last,
        )  # fmt: skip

    def _write(self, note: bytes) -> None:
        # A disk that is full costs the finding of a killer, and no record.
        with suppress(OSError):
            os.pwrite(self._file, note, 0)

    def _keep(self) -> None:
        fields = [_fields(each) for each in self._known]
        beside = self._path.with_suffix(".new")
        try:
            beside.write_bytes(orjson.dumps(fields))
            beside.replace(self._path)
        except OSError as failure:
            log.warning("what is suspected is not kept over a restart: %s", failure)


def _digest(timer: bytes) -> str:
    """As long as a note has room for: a timer's key and name may be longer."""
    return blake2b(timer, digest_size=16).hexdigest()


def _fields(each: Suspicion) -> list[Any]:
    return [each.topic, each.partition, each.first, each.last, each.deaths, each.timer]


def _read(octets: bytes) -> list[list[Any]]:
    """Notes as they were written; none where a death or a full disk left something else."""
    try:
        found = orjson.loads(octets)
    except ValueError:
        return []
    kinds = (str, int, int, int, int, str)
    return [
        each
        for each in (found if isinstance(found, list) else ())
        # Builds before timers were suspected wrote one field less.
        if isinstance(each, list) and tuple(type(value) for value in each) in (kinds, kinds[:-1])
    ]
