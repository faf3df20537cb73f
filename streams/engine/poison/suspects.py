"""Records that kill the process: found by what it was working on when it died.

A record that makes native code crash, or eats all memory, leaves no exception and no transaction:
the next process reads it again and dies again. So the engine notes beside the stores which records
a rule is about to see. The note is written without waiting for the disk: it outlives the process,
which is all it must. A process that finds a note of its predecessor looks at those records one by
one, each with a note of its own; the record of the third death is a dead letter like any other.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.errors import Poison

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

DEATHS: Final = 3
"""Deaths at one record after which it is not tried again. One may be chance, two a coincidence."""
NOTE_BYTES: Final = 512
"""Size of a note, padded: a topic's name has at most 249 characters."""
NO_NOTE: Final = b"".ljust(NOTE_BYTES)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Records of one partition of which one may have killed the process.

    Attributes:
        topic: Full name of the input topic.
        partition: Partition number.
        first: Offset of the first of them.
        last: Offset of the last of them.
        deaths: How often the process died while it worked on them.
    """

    topic: str
    partition: int
    first: int
    last: int
    deaths: int = 1

    def covers(self, other: Suspicion) -> bool:
        """Whether the other one is about the same records or some of them."""
        return (
            (self.topic, self.partition) == (other.topic, other.partition)
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
        note = orjson.dumps([[topic, partition, first, last, 1]])
        self._write(note.ljust(NOTE_BYTES))

    def end(self) -> None:
        """Note that no rule is at work."""
        self._write(NO_NOTE)

    def refusal(self, topic: str, partition: int, offset: int) -> Poison | None:
        """Why a record is not tried again; None if it may be tried."""
        for each in self.about(topic, partition):
            if each.first == each.last == offset and each.deaths >= DEATHS:
                return Poison(
                    f"the worker died {each.deaths} times while it worked on {topic}[{partition}]"
                    f"@{offset}, without an error of its own",
                    code="crash_loop",
                    advice="look for a crash of native code, memory used up, or a rule that hangs;"
                    " replay it with a build that can take it",
                )
        return None

    def passed(self, topic: str, partition: int, position: int) -> None:
        """Forget what lies before a committed position."""
        if not self._known:
            return
        left = [
            each
            for each in self._known
            if (each.topic, each.partition) != (topic, partition) or each.last >= position
        ]
        if len(left) < len(self._known):
            self._known = left
            self._keep()

    def close(self) -> None:
        """Close the file of notes."""
        os.close(self._file)

    def _add(self, died_at: Suspicion) -> None:
        """Narrow what was suspected already, or suspect anew."""
        for index, each in enumerate(self._known):
            if each.covers(died_at):
                deaths = each.deaths + 1
                self._known[index] = Suspicion(
                    each.topic, each.partition, died_at.first, died_at.last, deaths
                )
                break
        else:
            self._known.append(died_at)
        log.warning(
            "the last process died while it worked on %s[%d], offsets %d to %d: these records are"
            " looked at one by one",
            died_at.topic, died_at.partition, died_at.first, died_at.last,
        )  # fmt: skip

    def _write(self, note: bytes) -> None:
        # A disk that is full costs the finding of a killer, and no record.
        with suppress(OSError):
            os.pwrite(self._file, note, 0)

    def _keep(self) -> None:
        fields = [[s.topic, s.partition, s.first, s.last, s.deaths] for s in self._known]
        beside = self._path.with_suffix(".new")
        try:
            beside.write_bytes(orjson.dumps(fields))
            beside.replace(self._path)
        except OSError as failure:
            log.warning("what is suspected is not kept over a restart: %s", failure)


def _read(octets: bytes) -> list[list[Any]]:
    """Notes as they were written; none where a death or a full disk left something else."""
    try:
        found = orjson.loads(octets)
    except ValueError:
        return []
    kinds = (str, int, int, int, int)
    return [
        each
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, list) and tuple(type(value) for value in each) == kinds
    ]
